"""The secret and the token of a hook may stand in files, as other secrets may."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from standardwebhooks import Webhook

from supplier_api.backoffice.hooks import Hook
from supplier_api.cli import main
from supplier_api.settings import SettingsError, load_settings
from supplier_api.settings.secrets import MASK

SECRET = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ="
BODY = b'{"ticket": "T-1"}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a configuration folder whose file names the files of a secret and of a token."""
    for name in ("rules.yaml", "services.csv"):
        (tmp_path / name).touch()
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "token").write_text("a-token-of-the-desk\n")
    (tmp_path / "default.toml").write_text(
        f'[backoffice]\nhook_secret_file = "{tmp_path / "secret"}"\n'
        f'hook_token_file = "{tmp_path / "token"}"\n'
    )
    return tmp_path


def signed(secret: str) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", now, BODY.decode()),
    }


def test_files_that_the_settings_name_open_the_hook(folder: Path) -> None:
    hook = Hook(load_settings({"SUPPLIER_API_PROFILE": "sandbox"}, folder).backoffice)

    assert hook.admits(signed(SECRET), BODY)
    assert not hook.admits(signed("whsec_YW5vdGhlci1zZWNyZXQ="), BODY)
    assert hook.admits({"authorization": "Bearer a-token-of-the-desk"}, BODY)


def test_a_file_that_the_environment_names_counts_more(folder: Path) -> None:
    other = folder / "other"
    other.write_text("whsec_YW5vdGhlci1zZWNyZXQ=")
    environ = {
        "SUPPLIER_API_PROFILE": "sandbox",
        "SUPPLIER_API__BACKOFFICE__HOOK_SECRET_FILE": str(other),
    }

    hook = Hook(load_settings(environ, folder).backoffice)

    assert hook.admits(signed("whsec_YW5vdGhlci1zZWNyZXQ="), BODY)
    assert not hook.admits(signed(SECRET), BODY)


def test_what_is_no_secret_in_the_file_is_named_and_not_shown(folder: Path) -> None:
    (folder / "secret").write_text("hidden")

    with pytest.raises(SettingsError) as error:
        load_settings({"SUPPLIER_API_PROFILE": "sandbox"}, folder)

    [finding] = error.value.findings
    assert finding.name == "backoffice.hook_secret"
    assert "whsec_" in finding.message
    assert "hidden" not in str(error.value)


def test_secrets_that_need_not_be_set_are_masked_too(folder: Path) -> None:
    options = "SUPPLIER_API__BACKOFFICE__OPTIONS__"
    environ = {
        "SUPPLIER_API_PROFILE": "sandbox",
        "SUPPLIER_API_CONFIG_DIR": str(folder),
        "SUPPLIER_API__BACKOFFICE__ADAPTER": "http",
        f"{options}URL": "https://desk.example/orders",
        f"{options}SECRET": SECRET,
        f"{options}TOKEN_FILE": str(folder / "token"),
    }

    shown = CliRunner().invoke(main, ["config", "show"], env=environ)

    assert shown.exit_code == 0, shown.output
    words = [line.split() for line in shown.output.splitlines()]
    values = {name: value for name, value, *_ in filter(None, words) if "backoffice" in name}
    for name in ("hook_secret", "hook_token", "options.secret", "options.token"):
        assert values[f"backoffice.{name}"] == MASK
    assert SECRET not in shown.output
    assert "a-token-of-the-desk" not in shown.output
