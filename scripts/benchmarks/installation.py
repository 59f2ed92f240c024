"""An installation of the supplier in a folder of its own: settings, rules, services, requests."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from scripts.benchmarks.processes import (
    HOST,
    ROOT,
    SERVER_CORES,
    clean_environment,
    free_port,
    running,
    supplier_api,
    wait_for,
)

SERVICES = 20_000
ADAPTER = "bench"  # the name of the back office
BACK_OFFICE = """
from supplier_api.backoffice.port import OrderAnswer


class BackOffice:
    def __init__(self, settings):
        pass

    def submit(self, order):
        return OrderAnswer(back_office_id=f"TICKET-{order.id[-12:].upper()}")
"""
# Ids of the requests: all of the same length, so that the requests are.
FIRST_ID = 1_000_000_000
SECRETS = {
    "GATEWAY__CLIENT_SECRET": "bench-supplier-secret",
    "ACCESS__CLIENTS__GATEWAY__SECRET": "bench-gateway-secret",
    "ACCESS__CLIENTS__BACK_OFFICE__SECRET": "bench-back-office-secret",
}
# The supplied book has nine rules about a new problem.
TENTH_RULE = """
  - id: no-voice
    description: Trouble with voice is not ours.
    applies_to: [problem]
    when: '"SERVICE_AFFECTED" in request.characteristicsByName
      && request.characteristicsByName["SERVICE_AFFECTED"] == "voice"'
    then: defer
"""
CONTACT = {"name": "John Smith", "email": "john@smith.com", "phoneNumber": "01234 567890"}
BODY = {
    "id": "@id@",
    "problemType": "STABILITY",
    "problemText": "The service keeps dropping between 6pm and 9pm every evening.",
    "serviceId": "@service@",
    "serviceSpecification": {"id": "ftthl2r"},
    "address": {"id": "200004033694", "type": "UPRN"},
    "serviceTestId": 23467,
    "serviceTestReference": "TEST_233827673",
    "characteristics": [
        {"name": "END_USER_CPE", "value": "Zyzel DX3301"},
        {"name": "SERVICE_HAS_WORKED", "value": "true"},
        {"name": "SERVICE_LAST_WORKED", "value": "2026-01-05T12:00:00.000Z"},
    ],
    "primaryContact": CONTACT,
    "secondaryContact": CONTACT,
    "appointmentReservationId": 345,
    "appointmentReservationReference": "A234X",
    "hazards": "Hazardous materials stored on site, ask at the gate before the works are entered.",
    "onSiteRestrictions": "Restricted access: a pass is given out at the gate from 8am to 4pm.",
    "notes": "The router was restarted twice and the cable replaced, with no lasting effect.",
}


@dataclass(frozen=True)
class Installation:
    """An installation: its folder, the environment of its commands, and the port it serves."""

    folder: Path
    environ: dict[str, str]
    port: int

    @property
    def url(self) -> str:
        """Return the address of the web server."""
        return f"http://{HOST}:{self.port}"

    @property
    def database(self) -> str:
        """Return the URL of its database."""
        return self.environ["SUPPLIER_API__DATABASE__URL"]

    def call(self, *words: str) -> str:
        """Run a command of the supplier to its end, and return what it says."""
        words = tuple(supplier_api(*words))
        return subprocess.check_output(words, env=self.environ, cwd=ROOT, text=True)

    @contextmanager
    def serving(
        self, cores: frozenset[int] = SERVER_CORES, doors: Sequence[str] = ()
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Serve on `cores` while the block runs; `doors` are options of the command."""
        with running(supplier_api("serve", *doors), self.environ, cores) as process:
            wait_for(f"{self.url}/health/ready")
            yield process

    def token(self, client: str = "gateway") -> str:
        """Return a token of the client "gateway" or "back-office"; it must serve."""
        secret = SECRETS[f"ACCESS__CLIENTS__{client.upper().replace('-', '_')}__SECRET"]
        return token_of(f"{self.url}/oauth2/token", client, secret)

    def request(self) -> str:
        """Return a request for a problem, with a token, as Aim takes it; it must serve."""
        return request("POST", "/service-problems", BODY, self.token())


def token_of(url: str, client: str, secret: str) -> str:
    """Return a token that the endpoint at `url` gives a client."""
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    asked = Request(url, urlencode(form).encode(), method="POST")  # noqa: S310
    with urlopen(asked, timeout=10) as answer:  # noqa: S310 - our own server
        token: str = json.load(answer)["access_token"]
        return token


def make_installation(
    folder: Path,
    database: str | None = None,
    profile: str = "production",
    settings: Mapping[str, str] | None = None,
) -> Installation:
    """Make an installation in `folder` and upgrade its database (SQLite, unless one is named).

    `settings` are further ones, by their names in the environment behind SUPPLIER_API__.
    """
    config = folder / "config"
    config.mkdir(parents=True)
    (config / "rules.yaml").write_text(_book(), encoding="utf-8")
    (config / "services.csv").write_text("\n".join(_services()), encoding="utf-8")
    port = free_port()
    packages = _packages(folder / "packages")
    all_settings = {
        "SERVER__PORT": str(port),
        "GATEWAY__KCI_URL": f"http://{HOST}:9/kcis",
        "GATEWAY__TOKEN_URL": f"http://{HOST}:9/token",
        "GATEWAY__CLIENT_ID": "supplier",
        "BACKOFFICE__ADAPTER": ADAPTER,
        "DATABASE__URL": database or f"sqlite:///{folder}/supplier.db",
        **SECRETS,
        **(settings or {}),
    }
    environ = {
        **clean_environment(),
        **{f"SUPPLIER_API__{name}": value for name, value in all_settings.items()},
        "PYTHONPATH": os.pathsep.join(filter(None, (str(packages), os.environ.get("PYTHONPATH")))),
        "SUPPLIER_API_PROFILE": profile,
        "SUPPLIER_API_CONFIG_DIR": str(config),
        "SUPPLIER_API_DATA_DIR": str(folder),
    }
    installation = Installation(folder, environ, port)
    installation.call("db", "upgrade")
    return installation


def request(method: str, path: str, body: object, token: str) -> str:
    """Return a whole request with `body` as JSON, or without one for None, as Aim takes it.

    "@id@" and "@service@" in the body become the number and the service of a request, "@text@" in
    body or path its text, all of the same length each time.
    """
    text = "" if body is None else json.dumps(body).replace("%", "%%")
    text = text.replace('"@id@"', "%(id)d").replace("@id@", "%(id)d")
    text = text.replace("@service@", "SI%(service)013d").replace("@text@", "%(text)s")
    length = len((text % {"id": FIRST_ID, "service": 0, "text": "SP_0123456789"}).encode())
    lines = [
        f"{method} {path.replace('@text@', '%(text)s')} HTTP/1.1",
        f"Host: {HOST}",
        "X-Request-ID: 1b1fab0a-7cb9-4bd4-8a0b-%(id)d",
        "X-Conversation-ID: 57a1a5b0-6ed1-4be5-8bd8-%(id)d",
        "Tenant: TENANT%(tenant)d",
        f"Authorization: Bearer {token}",
    ]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", text])


def _packages(folder: Path) -> Path:
    """Install a back office that takes every order, as a supplier installs its own."""
    info = folder / "bench_office-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-office\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[supplier_api.backoffice]\n{ADAPTER} = bench_office:BackOffice\n"
    )
    (folder / "bench_office.py").write_text(BACK_OFFICE)
    return folder


def _book() -> str:
    supplied = (ROOT / "config" / "rules.yaml").read_text(encoding="utf-8")
    return supplied + TENTH_RULE


def _services() -> Iterator[str]:
    head, _ = (ROOT / "config" / "services.csv").read_text(encoding="utf-8").split("\n", 1)
    yield head
    for number in range(SERVICES):
        yield f"SI{number:013d},ftthl2r,FTTH,live,200004033694,UPRN,,false,"
