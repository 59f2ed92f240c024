"""Beyond loopback a sandbox has secrets of its own."""

import re
from pathlib import Path

import pytest

from supplier_api.settings import Settings, SettingsError, load_settings

EVERYWHERE = {"SUPPLIER_API__SERVER__HOST": "0.0.0.0"}


def load(folder: Path, **names: str) -> Settings:
    return load_settings({"SUPPLIER_API_DATA_DIR": str(folder / "data"), **names}, folder)


def secrets(settings: Settings) -> list[str]:
    """Return every secret there is."""
    parties = [*settings.sandbox.tenants.values(), *settings.sandbox.suppliers.values()]
    return [
        each.get_secret_value()
        for each in (
            settings.gateway.client_secret,
            *(client.secret for client in settings.access.clients.values()),
            *(party.client_secret for party in parties),
        )
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_on_loopback_the_documented_ones_hold(folder: Path, host: str) -> None:
    settings = load(folder, SUPPLIER_API__SERVER__HOST=host)
    assert "gateway-secret" in secrets(settings)
    assert not settings.data_dir.exists()


@pytest.mark.parametrize("name", ["SERVER", "SANDBOX"])
def test_beyond_it_none_of_them_does(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load(folder, **{f"SUPPLIER_API__{name}__HOST": "192.0.2.7"})
    found = secrets(settings)
    assert not [secret for secret in found if secret.endswith("-secret")]
    told = capsys.readouterr().err
    assert all(secret in told for secret in found)


def test_both_sides_of_a_call_know_the_same_one(folder: Path) -> None:
    settings = load(folder, **EVERYWHERE)
    ours = settings.sandbox.suppliers["DUMMY_SUPPLIER"].client_secret
    assert settings.gateway.client_secret == ours
    assert len(set(secrets(settings))) == len(secrets(settings)) - 1


def test_none_follows_from_another(folder: Path) -> None:
    made = set(secrets(load(folder, **EVERYWHERE)))
    assert len({each[:12] for each in made}) == len({each[-12:] for each in made}) == len(made)


def test_they_are_made_and_told_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = load(folder, **EVERYWHERE)
    capsys.readouterr()
    assert secrets(load(folder, **EVERYWHERE)) == secrets(first)
    assert capsys.readouterr().err == ""
    file = first.data_dir / "secrets.json"
    assert file.stat().st_mode & 0o777 == 0o600


def test_one_that_was_set_is_kept(folder: Path) -> None:
    settings = load(folder, SUPPLIER_API__ACCESS__CLIENTS__ADMIN__SECRET="mine", **EVERYWHERE)
    assert settings.access.clients["admin"].secret.get_secret_value() == "mine"


def test_the_documented_ones_can_be_kept(folder: Path) -> None:
    allowed = {**EVERYWHERE, "SUPPLIER_API__SANDBOX__ALLOW_DEFAULT_SECRETS": "true"}
    assert "admin-secret" in secrets(load(folder, **allowed))


def test_where_all_are_given_nothing_is_written(folder: Path) -> None:
    parties = ("TENANTS__TENANT1", "TENANTS__TENANT2", "SUPPLIERS__DUMMY_SUPPLIER")
    names = [
        "GATEWAY__CLIENT_SECRET",
        *(f"ACCESS__CLIENTS__{client}__SECRET" for client in ("GATEWAY", "BACK_OFFICE", "ADMIN")),
        *(f"SANDBOX__{party}__CLIENT_SECRET" for party in parties),
    ]
    given = {f"SUPPLIER_API__{name}": f"own-{name}" for name in names}
    settings = load(folder, **EVERYWHERE, **given)
    assert not settings.data_dir.exists()


def test_those_that_others_could_read_are_taken_away_from_them(folder: Path) -> None:
    first = load(folder, **EVERYWHERE)
    file = first.data_dir / "secrets.json"
    file.chmod(0o644)

    assert secrets(load(folder, **EVERYWHERE)) == secrets(first)
    assert file.stat().st_mode & 0o777 == 0o600
    assert first.data_dir.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("text", ["[]", "{", "\ufeff"])
def test_a_damaged_file_of_them_is_told(folder: Path, text: str) -> None:
    file = load(folder, **EVERYWHERE).data_dir / "secrets.json"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(SettingsError, match=re.escape(f"{file}): is no JSON object")):
        load(folder, **EVERYWHERE)
