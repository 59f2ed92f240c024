"""compose.yaml cannot rot: what it names are our commands, settings and secrets."""

import re
import runpy
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
import yaml

from supplier_api.cli import main, worker
from supplier_api.http.server import GRACE as SERVE_GRACE
from supplier_api.settings import Settings, load_settings
from supplier_api.settings.addresses import (
    callers_share_an_address,
    console_is_open,
    console_url,
)
from supplier_api.settings.secrets import KNOWN_SECRETS

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
IMAGE = [name for name, service in SERVICES.items() if service["image"] == "supplier_api"]
OURS = [name for name in IMAGE if name != "secrets"]  # that know the settings
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PINNED = r"[a-z/]+:[\w.-]+@sha256:[0-9a-f]{64}"
IN_THE_CONTAINER = "/run/secrets/"
SECRETS = runpy.run_path(str(ROOT / "scripts" / "compose_secrets.py"))
LOAD = runpy.run_path(str(ROOT / "scripts" / "compose_load.py"))
CHECKS = runpy.run_path(str(ROOT / "scripts" / "check_compose.py"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the secrets that are made for a newcomer."""
    (tmp_path / "secrets").mkdir()
    SECRETS["main"](tmp_path / "secrets")
    return tmp_path


def settings_of(name: str, folder: Path) -> Settings:
    """Return the settings of a service, its secrets read from where they were made."""
    said = {
        key: with_defaults(str(value)).replace(IN_THE_CONTAINER, f"{folder}/secrets/")
        for key, value in SERVICES[name]["environment"].items()
    }
    return load_settings({**image_environment(), "SUPPLIER_API_DATA_DIR": str(folder), **said})


def image_environment() -> Mapping[str, str]:
    """Return the settings that the image makes."""
    text = (ROOT / "Dockerfile").read_text()
    return dict(re.findall(r"^ +(SUPPLIER_API\w+)=(\S+)", text, re.MULTILINE))


def seen(*numbers: int, status: str = "RESOLVED") -> dict[str, Any]:
    """Return a problem as the gateway shows it after the supplier's updates with these numbers."""
    updates: list[dict[str, Any]] = [{"sequenceNumber": number} for number in numbers]
    if numbers:
        updates[-1]["serviceProblemResolution"] = {}
    return {"id": 7, "status": status, "updates": [{"information": {}}, *updates]}


def test_it_is_a_compose_file() -> None:
    assert CHECKS["schema_findings"](COMPOSE) == []
    assert CHECKS["schema_findings"]({"services": {"web": {"imagination": 1}}}) != []


def with_defaults(text: str) -> str:
    """Return a value as Compose makes it where none of the variables is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


@pytest.mark.parametrize("name", OURS)
def test_its_settings_are_ours(name: str, folder: Path) -> None:
    settings = settings_of(name, folder)
    assert settings.server.host == settings.sandbox.host == "0.0.0.0"
    for url, server in (
        (settings.gateway.kci_url, settings.sandbox),
        (settings.gateway.token_url, settings.sandbox),
        (settings.sandbox.supplier_url, settings.server),
    ):
        assert urlsplit(url).hostname in SERVICES
        assert urlsplit(url).port == server.port


def test_links_to_the_console_lead_to_the_first_port_that_is_published(folder: Path) -> None:
    settings = settings_of("web", folder)
    (published,) = map(with_defaults, SERVICES["web"]["ports"])
    host, ports, port = published.split(":")

    assert console_url(settings) == f"http://{host}:{ports.split('-')[0]}/console/"
    assert int(port) == settings.server.port
    # It is called from other machines, as far as it knows: people sign in.
    assert not console_is_open(settings)


def test_nobody_holds_up_the_sign_in_of_all_others(folder: Path) -> None:
    # Published on loopback: all have the address of Docker's bridge.
    assert SERVICES["web"]["ports"][0].startswith("127.0.0.1:")
    settings = settings_of("web", folder)
    assert callers_share_an_address(settings)
    # Unless a proxy tells who called, or people come from other machines.
    for changed in ({"proxies": 1}, {"url": "https://console.example"}):
        console = settings.console.model_copy(update=changed)
        assert not callers_share_an_address(settings.model_copy(update={"console": console}))


def test_every_secret_is_a_file_of_its_own(folder: Path) -> None:
    settings = settings_of("web", folder)
    # Else one would have been made, in one container alone.
    assert not (folder / "secrets.json").exists()
    clients = settings.access.clients
    parties = [*settings.sandbox.tenants.values(), *settings.sandbox.suppliers.values()]
    found = {client.secret.get_secret_value() for client in clients.values()}
    found |= {party.client_secret.get_secret_value() for party in parties}
    assert len(found) == len(clients) + len(parties)
    assert not found & KNOWN_SECRETS
    supplier = settings.sandbox.suppliers["DUMMY_SUPPLIER"]
    assert settings.gateway.client_secret == supplier.client_secret


def test_the_database_is_the_one_that_is_started(folder: Path) -> None:
    url = urlsplit(settings_of("web", folder).database.url)
    made = SERVICES["postgres"]["environment"]
    assert url.hostname == "postgres"
    assert url.username == made["POSTGRES_USER"]
    assert url.path == f"/{made['POSTGRES_DB']}"
    assert url.password == (folder / "secrets" / "postgres_password").read_text().strip()


def test_the_secrets_named_are_those_that_are_made(folder: Path) -> None:
    made = {file.name for file in (folder / "secrets").iterdir()}
    read: set[str] = set()
    for name in ("postgres", *OURS):
        assert "secrets:/run/secrets:ro" in SERVICES[name]["volumes"]
        read |= {
            value.removeprefix(IN_THE_CONTAINER)
            for value in SERVICES[name]["environment"].values()
            if str(value).startswith(IN_THE_CONTAINER)
        }
    assert read == made


def test_a_secret_that_is_there_stays(folder: Path) -> None:
    own = folder / "secrets" / "tenant_secret"
    own.write_text("of-my-own")
    (folder / "secrets" / "admin_secret").unlink()
    assert SECRETS["main"](folder / "secrets") == ["admin_secret"]
    assert own.read_text() == "of-my-own"


def test_ones_own_is_taken(folder: Path) -> None:
    SECRETS["take"]("tenant_secret", "of-my-own\n", folder / "secrets")
    assert SECRETS["main"](folder / "secrets") == []
    assert (folder / "secrets" / "tenant_secret").read_text() == "of-my-own\n"
    for name, text in (("tenant_secert", "x"), ("tenant_secret", " \n")):
        with pytest.raises(SystemExit, match=name):
            SECRETS["take"](name, text, folder / "secrets")


def test_containers_can_read_them_whoever_they_run_as(folder: Path) -> None:
    assert (folder / "secrets").stat().st_mode & 0o777 == 0o755
    modes = {file.stat().st_mode & 0o777 for file in (folder / "secrets").iterdir()}
    assert modes == {0o644}


def test_docker_compose_up_alone_needs_nothing_of_the_host() -> None:
    """A bind mount or a file secret that is not there yet would stop it."""
    assert "secrets" not in COMPOSE
    assert "configs" not in COMPOSE
    for service in SERVICES.values():
        sources = {volume.partition(":")[0] for volume in service.get("volumes", [])}
        assert sources <= set(COMPOSE["volumes"])
    # A new volume belongs to whom the folder of the image belongs that it lies over.
    assert SERVICES["secrets"]["volumes"] == ["secrets:/data"]
    assert "/opt/supplier_api/bin/compose-secrets" in DOCKERFILE
    assert SERVICES["secrets"]["entrypoint"] == ["compose-secrets"]


def test_what_it_is_built_from_and_with_is_pinned() -> None:
    (base,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(PINNED, base)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"$PYTHON_IMAGE"}
    postgres = SERVICES["postgres"]["image"]
    assert re.fullmatch(r"\$\{POSTGRES_IMAGE:-" + PINNED + r"\}", postgres)
    for line in re.findall(r"pip install (.*(?:\\\n.*)*)", DOCKERFILE):
        hashed = "--require-hashes" in line or '"$PLUGINS"' in line  # whose hashes are theirs
        assert hashed or {"--no-index", "--no-build-isolation"} <= set(line.split())
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    locked = (ROOT / "requirements-build.lock").read_text(encoding="utf-8")
    for wanted in pyproject["build-system"]["requires"]:
        name = re.split(r"[<>=~! ]", wanted)[0]
        assert re.search(rf"^{name}==\S+ \\\n +--hash=sha256:", locked, re.MULTILINE)


@pytest.mark.parametrize("name", OURS)
def test_its_commands_are_ours(name: str) -> None:
    command: click.Command | None = main
    with click.Context(main) as context:
        for word in SERVICES[name]["command"]:
            assert isinstance(command, click.Group)
            command = command.get_command(context, word)
    assert command is not None


@pytest.mark.parametrize("name", IMAGE)
def test_it_is_kept_small(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == re.search(
        r"^USER (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    ).group(1)  # type: ignore[union-attr]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert int(service["stop_grace_period"].removesuffix("s")) > max(worker.GRACE, SERVE_GRACE)


def test_it_starts_in_order() -> None:
    healthy, done = "service_healthy", "service_completed_successfully"
    order = {
        name: {on: said["condition"] for on, said in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    }
    assert order == {
        "secrets": {},
        "postgres": {"secrets": done},
        "migrate": {"postgres": healthy},
        "web": {"postgres": healthy, "migrate": done},
        "worker": {"postgres": healthy, "migrate": done},
        "sandbox": {"web": healthy},
    }
    assert [SERVICES[name]["deploy"]["replicas"] for name in ("web", "worker")] == [2, 2]


@pytest.mark.parametrize(
    ("shown", "stored", "what"),
    [
        (seen(1, 2, 3), {"status": "RESOLVED"}, ""),
        (seen(status="FAILED_TO_SEND"), None, ""),
        (seen(1, 2, 3, status="FAILED_TO_SEND"), {"status": "RESOLVED"}, ""),
        (seen(status="ACKNOWLEDGED"), None, "and not stored"),
        (seen(1, 3), {"status": "RESOLVED"}, "the updates arrived as [1, 3]"),
        (seen(1, 3, 2), {"status": "RESOLVED"}, "the updates arrived as [1, 3, 2]"),
        (seen(1, 2, 2), {"status": "RESOLVED"}, "the updates arrived as [1, 2, 2]"),
        (seen(1, 2, 3), {"status": "IN_PROGRESS"}, "IN_PROGRESS at the supplier"),
        (seen(status="IN_PROGRESS"), {"status": "RESOLVED"}, "IN_PROGRESS at the gateway"),
    ],
)
def test_the_load_sees_what_is_lost(
    shown: dict[str, Any], stored: dict[str, Any] | None, what: str
) -> None:
    found = " ".join(LOAD["broken"](shown, stored))
    assert what in found
    assert bool(found) == bool(what)
