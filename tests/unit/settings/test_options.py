"""What an adapter declares as its options is read, checked and masked like every other setting."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from supplier_api.backoffice.port import load_adapter
from supplier_api.cli import main
from supplier_api.settings import SettingsError, SettingsFinding, load_settings, resolve_settings

MODULE = """
from pathlib import Path
from typing import Annotated

from pydantic import SecretStr

from supplier_api.backoffice.port import AdapterOptions, OrderAnswer
from supplier_api.settings.section import ConfigFile


class Options(AdapterOptions):
    url: str
    token: SecretStr
    queues: tuple[str, ...] = ("faults",)
    seconds: float = 5.0
    mapping_file: Annotated[Path | None, ConfigFile()] = None


class Desk:
    options = Options

    def __init__(self, settings):
        self.options = settings.options

    def submit(self, order):
        return OrderAnswer()
"""
TOML = """
[backoffice]
adapter = "desk"

[backoffice.options]
url = "https://desk.example"
token = "very-secret"
"""


@pytest.fixture
def desk(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Publish an adapter with options; return the folder of the configuration."""
    site = tmp_path / "site"
    info = site / "desk-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: desk\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[supplier_api.backoffice]\ndesk = desk_adapter:Desk\n")
    (site / "desk_adapter.py").write_text(MODULE)
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    yield folder
    sys.modules.pop("desk_adapter", None)


def findings(folder: Path, **names: str) -> list[SettingsFinding]:
    with pytest.raises(SettingsError) as caught:
        load_settings(names, folder)
    return list(caught.value.findings)


def test_the_adapter_gets_its_options_typed(desk: Path) -> None:
    (desk / "sandbox.toml").write_text(TOML)
    (desk / "mapping.yaml").touch()
    environ = {
        "SUPPLIER_API__BACKOFFICE__OPTIONS__SECONDS": "2.5",
        "SUPPLIER_API__BACKOFFICE__OPTIONS__QUEUES": "a, b",
        "SUPPLIER_API__BACKOFFICE__OPTIONS__MAPPING_FILE": str(desk / "mapping.yaml"),
    }

    settings = load_settings(environ, desk)
    adapter = load_adapter(settings.backoffice)

    assert adapter.options is settings.backoffice.options  # type: ignore[attr-defined] # its own
    options = settings.backoffice.options
    assert options is not None
    assert options.model_dump() == {
        "url": "https://desk.example",
        "token": SecretStr("very-secret"),
        "queues": ("a", "b"),
        "seconds": 2.5,
        "mapping_file": desk / "mapping.yaml",
    }


def test_a_secret_stands_in_a_file_and_is_masked(desk: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("very-secret\n")
    file.chmod(0o600)
    environ = {
        "SUPPLIER_API_CONFIG_DIR": str(desk),
        "SUPPLIER_API__BACKOFFICE__ADAPTER": "desk",
        "SUPPLIER_API__BACKOFFICE__OPTIONS__URL": "https://desk.example",
        "SUPPLIER_API__BACKOFFICE__OPTIONS__TOKEN_FILE": str(file),
    }

    resolved = resolve_settings(environ)
    shown = CliRunner().invoke(main, ["config", "show"], env=environ)

    assert resolved.secret_files == {file: "backoffice.options.token"}
    line = next(line for line in shown.stdout.splitlines() if "options.token" in line)
    assert line.split()[:2] == ["backoffice.options.token", "********"]
    assert "very-secret" not in shown.output


def test_a_secret_in_a_file_is_named_in_a_configuration_file(desk: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("very-secret")
    named = TOML.replace('token = "very-secret"', f'token_file = "{tmp_path / "token"}"')
    (desk / "sandbox.toml").write_text(named)

    options = load_settings({}, desk).backoffice.options

    assert options is not None
    assert options.model_dump()["token"] == SecretStr("very-secret")


def test_a_missing_option_is_one_line(desk: Path) -> None:
    told = findings(desk, SUPPLIER_API__BACKOFFICE__ADAPTER="desk")

    where = "set it in a configuration file or by"
    name = "SUPPLIER_API__BACKOFFICE__OPTIONS__"
    assert [str(each).partition(" (not set): ")[::2] for each in told] == [
        ("backoffice.options.url", f"{where} {name}URL"),
        ("backoffice.options.token", f"{where} {name}TOKEN or {name}TOKEN_FILE"),
    ]


def test_wrong_and_unknown_options_are_named(desk: Path) -> None:
    (desk / "sandbox.toml").write_text(TOML + "secnods = 1\n")
    (unknown,) = findings(desk)
    assert unknown.name == "backoffice.options.secnods"
    assert "Did you mean seconds?" in unknown.message

    (desk / "sandbox.toml").write_text(TOML + 'seconds = "long"\n')
    (wrong,) = findings(desk, SUPPLIER_API__BACKOFFICE__OPTIONS__TOKEN="")
    assert (wrong.name, wrong.message) == (
        "backoffice.options.seconds",
        "should be a number, not 'long'",
    )


@pytest.mark.parametrize("adapter", ["simulated", "manual", "not-installed"])
def test_an_adapter_without_options_takes_none(folder: Path, adapter: str) -> None:
    (folder / "sandbox.toml").write_text(TOML.replace('"desk"', f'"{adapter}"'))

    told = findings(folder)

    assert {each.name for each in told} == {"backoffice.options.url", "backoffice.options.token"}
    assert "declares no options, or is not installed" in told[0].message


@pytest.mark.parametrize("adapter", ["simulated", "desc", "desk"])
def test_an_adapter_that_cannot_be_loaded_is_blamed_and_not_the_name_of_its_option(
    desk: Path, adapter: str
) -> None:
    """Neither a misspelt adapter nor one that cannot be imported says what its options are."""
    Path(sys.path[0], "desk_adapter.py").write_text("import no_such_module")
    url = "SUPPLIER_API__BACKOFFICE__OPTIONS__URL"

    (told,) = findings(desk, SUPPLIER_API__BACKOFFICE__ADAPTER=adapter, **{url: "https://x"})

    assert told.name == url
    assert "cannot be loaded: `supplier-api plugins` says which" in told.message
    assert "Did you mean" not in told.message


def test_options_that_do_not_fit_each_other_are_named_with_where_they_stand(folder: Path) -> None:
    names = {f"SUPPLIER_API__BACKOFFICE__OPTIONS__{name}": "u" for name in ("USER", "TOKEN")}
    (folder / "sandbox.toml").write_text(
        '[backoffice]\nadapter = "http"\n[backoffice.options]\nurl = "https://desk.example"\n'
    )

    (told,) = findings(folder, **names)

    assert (told.name, told.message) == ("backoffice.options", "user and password go together")
    assert all(name in told.source for name in (*names, "sandbox.toml"))
