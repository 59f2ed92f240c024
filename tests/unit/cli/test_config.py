"""`supplier-api config show`, and how wrong settings are told."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from supplier_api.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rules.yaml").touch()
    (tmp_path / "services.csv").touch()
    monkeypatch.setenv("SUPPLIER_API_CONFIG_DIR", str(tmp_path))
    return tmp_path


def test_each_setting_with_its_origin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPPLIER_API__SERVER__PORT", "18080")

    result = CliRunner().invoke(main, ["config", "show"])

    rows = [line.split() for line in result.output.splitlines()]
    assert result.exit_code == 0
    assert ["server.port", "18080", "environment", "SUPPLIER_API__SERVER__PORT"] in rows
    assert ["gateway.proxy", "(not", "set)", "not", "set"] in rows
    assert any(row[0] == "rules.file" and row[1] == str(folder / "rules.yaml") for row in rows)


@pytest.mark.usefixtures("folder")
def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPPLIER_API_PROFILE", "sandbox")
    monkeypatch.setenv("SUPPLIER_API__DATABASE__URL", "postgresql+psycopg://me:hidden@db/supplier")
    monkeypatch.setenv("SUPPLIER_API__GATEWAY__CLIENT_SECRET", "hidden too")

    output = CliRunner().invoke(main, ["config", "show", "--json"]).output

    table = json.loads(output)
    assert table["database.url"]["value"] == "postgresql+psycopg://me:********@db/supplier"
    assert table["gateway.client_secret"]["value"] == "********"
    assert table["access.clients.back-office.secret"]["value"] == "********"
    assert "hidden" not in output
    assert "tenant-secret" not in output


@pytest.mark.usefixtures("folder")
def test_a_wrong_setting_is_told_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPPLIER_API__SERVER__PORT", "eighty")

    result = CliRunner().invoke(main, ["config", "show"])

    assert result.exit_code == 1
    assert result.output == (
        "Error: the settings do not allow a start\n"
        "  server.port (environment SUPPLIER_API__SERVER__PORT):"
        " should be a valid integer, not 'eighty'\n"
    )


@pytest.mark.parametrize("words", [["confg"], ["config", "--wrong"], ["config", "show", "extra"]])
def test_wrong_use(words: list[str]) -> None:
    assert CliRunner().invoke(main, words).exit_code == 2
