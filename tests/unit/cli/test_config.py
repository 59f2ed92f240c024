"""`supplier-api config show`, and how wrong settings are told."""

import json
import os
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
        " should be a whole number, not 'eighty'\n"
    )


@pytest.mark.parametrize("words", [["confg"], ["config", "--wrong"], ["config", "show", "extra"]])
def test_wrong_use(words: list[str]) -> None:
    assert CliRunner().invoke(main, words).exit_code == 2


@pytest.mark.usefixtures("folder")
def test_passwords_in_urls_are_masked_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = {
        "DATABASE__URL": "postgresql://me@db/supplier?sslmode=require&password=hidden",
        "GATEWAY__KCI_URL": "https://me:hidden@gateway.example/kcis",
        "GATEWAY__TOKEN_URL": "https://gateway.example/token?api_key=hidden&x=1",
        "GATEWAY__PROXY": "http://me:hid%2Fden@proxy:3128",
        "SANDBOX__SUPPLIER_URL": "http://me:hid@den@web:8080",
        "SANDBOX__TENANTS__TENANT1__URL": "https://me:hidden@tenant.example",
    }
    monkeypatch.setenv("SUPPLIER_API_PROFILE", "sandbox")
    for name, url in urls.items():
        monkeypatch.setenv(f"SUPPLIER_API__{name}", url)
    (Path(os.environ["SUPPLIER_API_CONFIG_DIR"]) / "sandbox.toml").write_text(
        '[sandbox.tenants.TENANT1]\nurl = ""\n'
    )

    result = CliRunner().invoke(main, ["config", "show", "--json"])

    assert result.exit_code == 0, result.output
    assert "hid" not in result.output
    table = json.loads(result.output)
    assert table["gateway.kci_url"]["value"] == "https://me:********@gateway.example/kcis"
    assert table["gateway.token_url"]["value"].endswith("/token?api_key=********&x=1")
