"""Which layer wins, and what each may say."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from supplier_api.files import sqlite_path
from supplier_api.settings import SettingsError, load_settings, resolve_settings


def test_nobody_says_anything(folder: Path) -> None:
    settings = load_settings({}, folder)

    assert settings.profile == "sandbox"
    assert settings.server.host == "127.0.0.1"
    assert settings.data_dir == Path.cwd() / "var"
    assert settings.database.url == f"sqlite:///{Path.cwd()}/var/supplier.db"
    assert settings.gateway.kci_url == "http://127.0.0.1:8090/kcis"
    assert settings.gateway.token_url == "http://127.0.0.1:8090/auth/supplier/access-token"
    assert settings.sandbox.supplier_url == "http://127.0.0.1:8080"


def test_the_order_of_the_layers(folder: Path) -> None:
    (folder / "default.toml").write_text("[delivery]\nthreads = 2\nsweep = 2\njitter = 0.3\n")
    (folder / "sandbox.toml").write_text("[delivery]\nthreads = 3\nsweep = 3\n")

    resolved = resolve_settings({"SUPPLIER_API__DELIVERY__THREADS": "4"}, folder)

    delivery = resolved.settings.delivery
    assert (delivery.threads, delivery.sweep, delivery.jitter, delivery.lease) == (4, 3, 0.3, 45)
    origins = {
        path[1]: origin for path, origin in resolved.origins.items() if path[0] == "delivery"
    }
    assert origins["threads"] == "environment SUPPLIER_API__DELIVERY__THREADS"
    assert origins["sweep"] == str(folder / "sandbox.toml")
    assert origins["jitter"] == str(folder / "default.toml")
    assert origins["lease"].endswith("/config/default.toml")


def test_the_folder_named_by_the_environment(folder: Path) -> None:
    (folder / "default.toml").write_text('environment = "acceptance"\n')

    settings = load_settings({"SUPPLIER_API_CONFIG_DIR": str(folder)})

    assert settings.environment == "sandbox"  # the profile's file is stronger
    assert settings.rules.file == folder / "rules.yaml"
    assert settings.config_dirs[0] == folder


def test_state_lives_where_it_is_told_to(folder: Path, tmp_path: Path) -> None:
    state = tmp_path / "state of it"

    settings = load_settings({"SUPPLIER_API_DATA_DIR": str(state)}, folder)

    assert settings.database.url == f"sqlite:///{state}/supplier.db"
    assert settings.sandbox.database == f"sqlite:///{state}/sandbox.db"


@pytest.mark.parametrize("text", ["5, 30,120", "[5, 30, 120]"])
def test_a_list_is_written_with_commas_or_as_json(folder: Path, text: str) -> None:
    settings = load_settings({"SUPPLIER_API__DELIVERY__RETRY_WAITS": text}, folder)

    assert settings.delivery.retry_waits == (5, 30, 120)


def test_an_empty_list_switches_all_operations_off(folder: Path) -> None:
    settings = load_settings({"SUPPLIER_API__SERVER__OPERATIONS": ""}, folder)

    assert settings.server.operations == ()


def test_an_empty_text_unsets_what_may_be_unset(folder: Path) -> None:
    (folder / "default.toml").write_text('[gateway]\nproxy = "http://proxy:3128"\n')

    assert load_settings({}, folder).gateway.proxy == "http://proxy:3128"
    assert load_settings({"SUPPLIER_API__GATEWAY__PROXY": ""}, folder).gateway.proxy is None


def test_a_pace_is_a_number_or_a_word(folder: Path) -> None:
    fast = load_settings({"SUPPLIER_API__BACKOFFICE__PACE": "0.1"}, folder)
    still = load_settings({"SUPPLIER_API__BACKOFFICE__PACE": "manual"}, folder)

    assert (fast.backoffice.pace, still.backoffice.pace) == (0.1, "manual")


def test_a_client_is_named_without_regard_to_case_and_hyphen(folder: Path) -> None:
    name = "SUPPLIER_API__ACCESS__CLIENTS__BACK_OFFICE__SECRET"

    settings = load_settings({name: "other"}, folder)

    assert settings.access.clients["back-office"].secret.get_secret_value() == "other"


def test_the_sandbox_follows_the_server(folder: Path) -> None:
    names = {
        "SUPPLIER_API__SERVER__HOST": "0.0.0.0",
        "SUPPLIER_API__SERVER__PORT": "18080",
        "SUPPLIER_API__SERVER__PREFIX": "/v1",
        "SUPPLIER_API__SANDBOX__PORT": "18090",
    }

    settings = load_settings(names, folder)

    assert settings.sandbox.host == "0.0.0.0"
    assert settings.sandbox.supplier_url == "http://127.0.0.1:18080/v1"
    assert settings.gateway.kci_url == "http://127.0.0.1:18090/kcis"


def test_an_ipv6_address_stands_in_brackets(folder: Path) -> None:
    settings = load_settings({"SUPPLIER_API__SERVER__HOST": "::"}, folder)

    assert settings.sandbox.supplier_url == "http://[::1]:8080"


def test_a_file_from_the_environment_counts_from_the_working_directory(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path_factory.mktemp("here")
    (here / "mine.yaml").touch()
    monkeypatch.chdir(here)

    settings = load_settings({"SUPPLIER_API__RULES__FILE": "mine.yaml"}, folder)

    assert settings.rules.file == here / "mine.yaml"


def test_settings_cannot_be_changed(folder: Path) -> None:
    settings = load_settings({}, folder)

    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_from_a_file(folder: Path, ending: str) -> None:
    secret = folder / "secret"
    secret.write_text(f" s3cret {ending}", newline="")

    settings = load_settings({"SUPPLIER_API__GATEWAY__CLIENT_SECRET_FILE": str(secret)}, folder)

    assert settings.gateway.client_secret.get_secret_value() == " s3cret "


def test_a_secret_from_a_file_that_a_file_names(folder: Path) -> None:
    (folder / "secret").write_text("postgresql+psycopg://me:word@db/supplier\n")
    (folder / "default.toml").write_text(f'[database]\nurl_file = "{folder / "secret"}"\n')

    settings = load_settings({"SUPPLIER_API_PROFILE": "sandbox"}, folder)
    assert settings.database.url == "postgresql+psycopg://me:word@db/supplier"


def test_a_secret_is_given_once(folder: Path) -> None:
    (folder / "secret").write_text("one")
    names = {
        "SUPPLIER_API__GATEWAY__CLIENT_SECRET": "two",
        "SUPPLIER_API__GATEWAY__CLIENT_SECRET_FILE": str(folder / "secret"),
    }

    with pytest.raises(SettingsError, match="are both set: keep one"):
        load_settings(names, folder)


@pytest.mark.parametrize("name", ["50%2F off", "what?", "nr #1", "Zürich", "a b", "100%"])
def test_a_file_is_where_the_data_folder_was_said_to_be(
    folder: Path, tmp_path: Path, name: str
) -> None:
    state = tmp_path / name

    settings = load_settings({"SUPPLIER_API_DATA_DIR": str(state)}, folder)

    for url, file in ((settings.database.url, "supplier"), (settings.sandbox.database, "sandbox")):
        assert sqlite_path(url) == state / f"{file}.db"
        assert make_url(url).database == str(state / f"{file}.db")


def test_what_a_shell_leaves_at_the_end_of_a_value_is_not_meant(folder: Path) -> None:
    names = {
        "SUPPLIER_API_PROFILE": "sandbox\n",
        "SUPPLIER_API_CONFIG_DIR": f"{folder}\r\n",
        "SUPPLIER_API_DATA_DIR": f"{folder}/data\n",
        "SUPPLIER_API__SERVER__HOST": "127.0.0.2\n",
        "SUPPLIER_API__SERVER__PORT": "18080\r\n",
        "SUPPLIER_API__GATEWAY__CLIENT_SECRET": "secret\n",
        "SUPPLIER_API__RULES__FILE": "rules.yaml\n",
    }

    settings = load_settings(names)

    assert settings.data_dir == folder / "data"
    assert (settings.server.host, settings.server.port) == ("127.0.0.2", 18080)
    assert settings.gateway.client_secret.get_secret_value() == "secret"
    assert settings.rules.file == folder / "rules.yaml"


def test_what_an_editor_puts_before_a_file_is_not_meant(folder: Path) -> None:
    (folder / "secret").write_text("\ufeffsecret\r\n", encoding="utf-8")
    (folder / "sandbox.toml").write_text('\ufeff[gateway]\nclient_id = "me\\n"\n', encoding="utf-8")
    name = "SUPPLIER_API__GATEWAY__CLIENT_SECRET_FILE"

    settings = load_settings({name: str(folder / "secret")}, folder)

    assert settings.gateway.client_secret.get_secret_value() == "secret"
    assert settings.gateway.client_id == "me"


@pytest.mark.parametrize(
    "service", ["SANDBOX", "SERVER", "GATEWAY", "PROFILE", "DATA_DIR", "CONFIG_DIR", "_SERVER"]
)
def test_what_kubernetes_sets_for_a_service_is_no_setting(folder: Path, service: str) -> None:
    head = f"SUPPLIER_API_{service}"
    names = {
        f"{head}_PORT": "tcp://10.0.0.1:8090",
        f"{head}_PORT_8090_TCP": "tcp://10.0.0.1:8090",
    }

    assert load_settings(names, folder) == load_settings({}, folder)
