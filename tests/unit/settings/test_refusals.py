"""What stops a start, and how it is told: the name, where it stands, what is allowed."""

from pathlib import Path

import pytest

from supplier_api.settings import SettingsError, SettingsFinding, load_settings

PRODUCTION = {
    "SUPPLIER_API_PROFILE": "production",
    "SUPPLIER_API__GATEWAY__KCI_URL": "https://gateway.example/kcis",
    "SUPPLIER_API__GATEWAY__TOKEN_URL": "https://gateway.example/auth/supplier/access-token",
    "SUPPLIER_API__GATEWAY__CLIENT_ID": "us",
    "SUPPLIER_API__BACKOFFICE__ADAPTER": "ours",
    "SUPPLIER_API__GATEWAY__CLIENT_SECRET": "a-long-secret-of-one",
    "SUPPLIER_API__ACCESS__CLIENTS__GATEWAY__SECRET": "a-long-secret-of-two",
    "SUPPLIER_API__ACCESS__CLIENTS__BACK_OFFICE__SECRET": "a-long-secret-of-three",
}


def findings(folder: Path, **names: str) -> tuple[SettingsFinding, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(names, folder)
    return caught.value.findings


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SUPPLIER_API__SERVER__PROT", "SUPPLIER_API__SERVER__PORT"),
        ("SUPPLIER_API__SEVRER__PORT", "SUPPLIER_API__SERVER__PORT"),
        ("SUPPLIER_API__ACCESS__CLIENTS__BACKOFFICE__SECRET", "BACK_OFFICE__SECRET"),
        ("SUPPLIER_API__RULES__FILES_FILE", "SUPPLIER_API__RULES__FILE"),
        ("SUPPLIER_API__PROFILE", "SUPPLIER_API_PROFILE"),
        ("SUPPLIER_API_PROFIL", "SUPPLIER_API_PROFILE"),
        ("SUPPLIER_API_SERVER__PORT", "SUPPLIER_API__SERVER__PORT"),
        ("SUPPLIER_API_SERVER_PORT", "SUPPLIER_API__SERVER__PORT"),
    ],
)
def test_an_unknown_variable(folder: Path, name: str, meant: str) -> None:
    (finding,) = findings(folder, **{name: "x"})

    assert finding.name == name
    assert finding.source == "environment"
    assert f"{meant}?" in finding.message


def test_a_variable_that_is_somebody_elses(folder: Path) -> None:
    load_settings(
        {"SUPPLIER_API_PORT": "tcp://10.0.0.1:80", "SUPPLIER_API_SERVICE_HOST": "x"}, folder
    )


def test_unknown_names_in_a_file(folder: Path) -> None:
    file = folder / "sandbox.toml"
    file.write_text("[server]\nprot = 1\n[servr]\nport = 1\n")

    key, section = findings(folder)

    assert (key.name, key.source) == ("server.prot", str(file))
    assert key.message.startswith("unknown. Did you mean port? Allowed: answer_budget, docs, host")
    assert (section.name, section.source) == ("servr", str(file))
    assert "Did you mean server?" in section.message


def test_a_value_where_a_section_belongs(folder: Path) -> None:
    (folder / "default.toml").write_text("server = 8080\n")

    (finding,) = findings(folder)

    assert str(finding) == f"server ({folder / 'default.toml'}): is a section: [server]"


def test_a_file_that_is_not_toml(folder: Path) -> None:
    (folder / "default.toml").write_text("[server\n")

    (finding,) = findings(folder)

    assert finding.source == str(folder / "default.toml")
    assert "line 1" in finding.message


def test_wrong_values_are_all_told_at_once(folder: Path) -> None:
    told = findings(
        folder,
        SUPPLIER_API__SERVER__PORT="eighty",
        SUPPLIER_API__SERVER__PREFIX="supplier/",
        SUPPLIER_API__LOG__FORMAT="xml",
        SUPPLIER_API__SERVER__OPERATIONS="service-problems,orders",
        SUPPLIER_API__BACKOFFICE__PACE="fast",
        SUPPLIER_API__RULES__FILE="nowhere.yaml",
    )

    texts = {finding.name: finding.message for finding in told}
    assert texts["server.port"] == "should be a whole number, not 'eighty'"
    assert texts["log.format"] == "should be 'json' or 'console', not 'xml'"
    assert "'service-problem-resolutions'" in texts["server.operations"]
    assert texts["backoffice.pace"] == "should be 'manual' or should be a number, not 'fast'"
    assert "nowhere.yaml" in texts["rules.file"]
    assert texts["server.prefix"] == (
        "should be empty, or a path as in /supplier, with no / at its end, not 'supplier/'"
    )
    assert {finding.source for finding in told} == {
        f"environment SUPPLIER_API__{name}"
        for name in (
            "SERVER__PORT",
            "SERVER__PREFIX",
            "LOG__FORMAT",
            "SERVER__OPERATIONS",
            "BACKOFFICE__PACE",
            "RULES__FILE",
        )
    }


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (
            "GATEWAY__KCI_URL",
            "gateway.example/kcis",
            "should be a URL, as in https://gateway.example/kcis, not 'gateway.example/kcis'",
        ),
        (
            "DATABASE__URL",
            "mysql://db/x",
            "should be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
        ),
        ("GATEWAY__TOKEN_FIELDS", "a", "should be NAME=VALUE, not 'a'"),
        ("SERVER__OPERATIONS", "UPDATE", "not 'UPDATE'"),
        ("GATEWAY__CLIENT_ID", "", "should not be empty, not ''"),
        (
            "BACKOFFICE__ADAPTER",
            "x" * 65,
            f"should be a name of at most 64 characters, not '{'x' * 65}'",
        ),
        ("SERVER__DOCS", "perhaps", "should be true or false, not 'perhaps'"),
        (
            "LIFECYCLE__REFERENCE_PREFIX",
            "sp-",
            "should be at most 15 capital letters, digits and underscores, not 'sp-'",
        ),
    ],
)
def test_what_was_expected_is_said_in_words(folder: Path, name: str, value: str, told: str) -> None:
    named = {"SUPPLIER_API_PROFILE": "sandbox", f"SUPPLIER_API__{name}": value}
    (finding,) = findings(folder, **named)

    assert finding.message.endswith(told)


@pytest.mark.parametrize("value", ["inf", "nan", "-1", "0"])
def test_a_budget_is_a_real_time(folder: Path, value: str) -> None:
    (finding,) = findings(folder, SUPPLIER_API__SERVER__ANSWER_BUDGET=value)

    assert finding.name == "server.answer_budget"


@pytest.mark.parametrize("value", ["0", "0.5", "86401", "1e9", "inf"])
def test_a_token_is_good_for_a_day_at_most(folder: Path, value: str) -> None:
    (finding,) = findings(folder, SUPPLIER_API__ACCESS__TOKEN_LIFETIME=value)

    assert finding.name == "access.token_lifetime"


def test_a_wrong_secret_is_not_shown(folder: Path) -> None:
    (finding,) = findings(folder, SUPPLIER_API__DATABASE__URL="postgresql//me:hidden@db/x")

    assert finding.name == "database.url"
    assert "hidden" not in str(finding)


def test_a_secrets_file_that_is_not_there(folder: Path) -> None:
    (finding,) = findings(folder, SUPPLIER_API__GATEWAY__CLIENT_SECRET_FILE="/no/where")

    assert finding.source == "environment SUPPLIER_API__GATEWAY__CLIENT_SECRET_FILE"
    assert finding.message == "the file /no/where cannot be read: No such file or directory"


def test_an_unknown_profile(folder: Path) -> None:
    (finding,) = findings(folder, SUPPLIER_API_PROFILE="prod")

    assert "Allowed: production, sandbox" in finding.message


def test_a_configuration_folder_that_is_not_there() -> None:
    with pytest.raises(SettingsError, match=r"SUPPLIER_API_CONFIG_DIR .*: there is no folder /no"):
        load_settings({"SUPPLIER_API_CONFIG_DIR": "/no"})


def test_production_has_no_defaults_for_what_only_its_owner_knows(folder: Path) -> None:
    told = findings(folder, SUPPLIER_API_PROFILE="production")

    assert {finding.name for finding in told} == {
        "gateway.kci_url",
        "gateway.token_url",
        "gateway.client_id",
        "gateway.client_secret",
        "access.clients.gateway.secret",
        "access.clients.back-office.secret",
    }
    assert {finding.source for finding in told} == {"not set"}
    secret = next(finding for finding in told if finding.name == "gateway.client_secret")
    assert secret.message.endswith(
        "by SUPPLIER_API__GATEWAY__CLIENT_SECRET or SUPPLIER_API__GATEWAY__CLIENT_SECRET_FILE"
    )


def test_production_starts_with_its_owners_settings(folder: Path) -> None:
    settings = load_settings(PRODUCTION, folder)

    assert settings.profile == "production"
    assert not settings.inventory.any_live
    assert settings.sandbox.tenants == {}


@pytest.mark.parametrize(
    ("name", "value", "setting"),
    [
        ("SUPPLIER_API__INVENTORY__ANY_LIVE", "true", "inventory.any_live"),
        ("SUPPLIER_API__SANDBOX__ADOPT", "true", "sandbox.adopt"),
        ("SUPPLIER_API__BACKOFFICE__ADAPTER", "simulated", "backoffice.adapter"),
        ("SUPPLIER_API__GATEWAY__CLIENT_SECRET", "fifteen-letters", "gateway.client_secret"),
        ("SUPPLIER_API__GATEWAY__KCI_URL", "http://gateway.example/kcis", "gateway.kci_url"),
        ("SUPPLIER_API__GATEWAY__TOKEN_URL", "http://10.0.0.1/token", "gateway.token_url"),
        ("SUPPLIER_API__GATEWAY__CLIENT_SECRET", "supplier-secret", "gateway.client_secret"),
        (
            "SUPPLIER_API__ACCESS__CLIENTS__GATEWAY__SECRET",
            "gateway-secret",
            "access.clients.gateway.secret",
        ),
        (
            "SUPPLIER_API__ACCESS__CLIENTS__GATEWAY__SCOPES",
            "service-problems, admin",
            "access.clients.gateway.scopes",
        ),
        (
            "SUPPLIER_API__SANDBOX__ALLOW_DEFAULT_SECRETS",
            "true",
            "sandbox.allow_default_secrets",
        ),
    ],
)
def test_production_refuses_the_sandbox(folder: Path, name: str, value: str, setting: str) -> None:
    (finding,) = findings(folder, **PRODUCTION | {name: value})

    assert finding.name == setting
    assert finding.source == f"environment {name}"


def test_production_refuses_the_sample_desk(folder: Path) -> None:
    desk = {
        "SUPPLIER_API__BACKOFFICE__ADAPTER": "sample-desk",
        "SUPPLIER_API__BACKOFFICE__OPTIONS__URL": "https://desk.example",
    }
    (finding,) = findings(folder, **PRODUCTION | desk)

    assert finding.name == "backoffice.adapter"


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("http://127.0.0.1:9000/kcis", ""),
        ("http://[::1]:9000/kcis", ""),
        ("http://localhost:9000/kcis", ""),
        ("http://sidecar:9000/kcis", "other, Sidecar"),
    ],
)
def test_production_calls_without_tls_only_what_is_near(folder: Path, url: str, hosts: str) -> None:
    names = {
        "SUPPLIER_API__GATEWAY__KCI_URL": url,
        "SUPPLIER_API__GATEWAY__PLAIN_HTTP_HOSTS": hosts,
    }
    assert load_settings(PRODUCTION | names, folder).gateway.kci_url == url


@pytest.mark.parametrize(
    ("name", "value", "setting"),
    [
        ("SUPPLIER_API__ENVIRONMENT", "live", "environment"),
        ("SUPPLIER_API__GATEWAY__KCI_URL", "https://gateway.example/kcis", "gateway.kci_url"),
        ("SUPPLIER_API__GATEWAY__TOKEN_URL", "http://10.0.0.1/token", "gateway.token_url"),
        ("SUPPLIER_API__DATABASE__URL", "postgresql://us@db/supplier", "database.url"),
    ],
)
def test_what_looks_like_production_asks_for_a_profile(
    folder: Path, name: str, value: str, setting: str
) -> None:
    (finding,) = findings(folder, **{name: value})

    assert finding.name == setting
    assert finding.source == f"environment {name}"
    assert "set SUPPLIER_API_PROFILE=production, or =sandbox" in finding.message
    load_settings({name: value, "SUPPLIER_API_PROFILE": "sandbox"}, folder)


@pytest.mark.parametrize(
    "names",
    [
        {"SUPPLIER_API__ENVIRONMENT": "local"},
        {"SUPPLIER_API__GATEWAY__KCI_URL": "http://localhost:9000/kcis"},
        {"SUPPLIER_API__SERVER__HOST": "0.0.0.0"},
        {"SUPPLIER_API__SANDBOX__HOST": "10.0.0.1"},
        {"SUPPLIER_API__DATABASE__URL": "sqlite:////tmp/x.db"},
    ],
)
def test_what_stays_on_this_machine_needs_no_profile(
    folder: Path, tmp_path: Path, names: dict[str, str]
) -> None:
    assert load_settings(names | {"SUPPLIER_API_DATA_DIR": str(tmp_path)}, folder).in_sandbox


def test_no_repeat_is_forgotten_within_thirteen_months(folder: Path) -> None:
    (finding,) = findings(folder, SUPPLIER_API__RETENTION__PRUNE_AFTER_DAYS="365")

    assert finding.name == "retention.prune_after_days"
    assert "must be at least 397 (13 months)" in finding.message


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("GATEWAY__CLIENT_SECRET", "two\nlines", "must be one line"),
        ("GATEWAY__CLIENT_ID", "a\tb", "must be one line"),
        ("GATEWAY__KCI_URL", "https://gateway\n.example/kcis", "must be one line"),
        ("GATEWAY__KCI_URL", "https://gateway:kcis/", "the port is no number up to 65535"),
        ("GATEWAY__PROXY", "http://[::1:3128", "cannot be read as a URL: Invalid IPv6 URL"),
        ("DATABASE__URL", "postgresql://me:hidden@db:port/x", "the port is no number"),
        ("DATABASE__URL", "sqlite://", "must name a file"),
        ("SANDBOX__DATABASE", "sqlite:///:memory:", "must name a file"),
    ],
)
def test_a_text_that_nothing_can_be_done_with(
    folder: Path, name: str, value: str, message: str
) -> None:
    sandbox = {"SUPPLIER_API_PROFILE": "sandbox"}
    (finding,) = findings(folder, **sandbox, **{f"SUPPLIER_API__{name}": value})

    assert message in finding.message
    assert "hidden" not in str(finding)


def test_a_password_in_a_wrong_url_is_not_shown(folder: Path) -> None:
    environ = {"SUPPLIER_API_PROFILE": "sandbox"}
    environ["SUPPLIER_API__GATEWAY__KCI_URL"] = "htp://me:hid/d@en@gateway/kcis"
    (finding,) = findings(folder, **environ)

    assert finding.message.endswith("not 'htp://me:********@gateway/kcis'")


def test_a_secrets_file_that_everybody_may_write(folder: Path) -> None:
    file = folder / "secret"
    file.write_text("secret\n")
    file.chmod(0o646)
    (folder / "sandbox.toml").write_text('[access.clients.gateway]\nsecret = "mine"\n')
    (folder / "sandbox.toml").chmod(0o666)

    first, second = findings(folder, SUPPLIER_API__GATEWAY__CLIENT_SECRET_FILE=str(file))

    assert {first.name, second.name} == {"gateway.client_secret", "access.clients.gateway.secret"}
    assert {first.source, second.source} == {str(file), str(folder / "sandbox.toml")}
    assert first.message.startswith("everybody may write the file: chmod o-w ")
