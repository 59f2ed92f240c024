"""What deploy/ holds cannot rot: its settings, commands, paths and programs are ours, and fit."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import ExitStack
from pathlib import Path
from socketserver import StreamRequestHandler, UnixStreamServer
from threading import Thread

import pytest

from supplier_api.cli import COMMANDS, worker
from supplier_api.console.app import MAX_FORM, MOUNT
from supplier_api.http.backoffice.work_orders import LIMITS
from supplier_api.http.gateway.tokens import TOKEN_PATH
from supplier_api.http.server import GRACE as SERVE_GRACE
from supplier_api.settings import load_settings
from supplier_api.settings.doors import Door, listeners
from tests.nginx import serving_nginx
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
INSTALL = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
ENVIRONMENT = dict(
    line.split("=", 1)
    for line in (DEPLOY / "supplier_api.env").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
NGINX = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
SERVERS = NGINX.split("\nserver {")[1:]  # for the gateway, for the supplier's systems, for people
UPSTREAMS = {
    name: re.findall(r"server (\S+);", block)
    for name, block in re.findall(r"^upstream (\w+) \{(.*?)^\}", NGINX, re.MULTILINE | re.DOTALL)
}
PLACE = "/opt/supplier_api"
# What nginx lets in, and what the gateway has no business with.
PROBLEMS = [
    "/service-problems",
    "/service-problem-amendments",
    "/service-problem-cancellations",
    "/service-problem-resolutions/SPR_1",
    TOKEN_PATH,
]
INSIDE = ["/back-office/v1/problems/1/events", "/health/ready"]
CONSOLE = [f"{MOUNT}/", f"{MOUNT}/problems/", f"{MOUNT}/static/console.css"]
HOSTS = ("supplier.example", "supplier.example", "console.example")


def unit(file: Path) -> ConfigParser:
    found = ConfigParser(strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign] # names as they are written
    found.read(file, encoding="utf-8")
    return found


def lets_in(server: str, path: str) -> bool:
    """Return whether a path of that server reaches us, by the rules of nginx that are used here."""
    for kind, place, passed in re.findall(
        r"location (=|~)? ?(\S+) \{ proxy_pass (\S+); \}", server
    ):
        assert re.search(rf"^upstream {passed.removeprefix('http://')} \{{$", NGINX, re.MULTILINE)
        exact, pattern = path == place, kind == "~" and re.search(place, path)
        if exact or pattern or (not kind and path.startswith(place)):
            return True
    return False


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_a_unit_runs_a_command_of_ours(file: Path) -> None:
    service = unit(file)["Service"]
    program, command = service["ExecStart"].split()[:2]

    assert program == f"{PLACE}/.venv/bin/supplier-api"
    assert command in COMMANDS
    assert service["EnvironmentFile"] == "/etc/supplier_api/supplier_api.env"
    # systemd makes the folder of this name for the user.
    data = f"/var/lib/{service['StateDirectory']}"
    assert ENVIRONMENT["SUPPLIER_API_DATA_DIR"] == data
    assert service["ProtectSystem"] == "strict"
    if "TimeoutStopSec" in service:
        assert int(service["TimeoutStopSec"]) > max(worker.GRACE, SERVE_GRACE)


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_systemd_takes_a_unit(file: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here")
    program = tmp_path / ".venv" / "bin" / "supplier-api"
    program.parent.mkdir(parents=True)
    program.symlink_to("/bin/true")
    for each in UNITS:
        text = each.read_text(encoding="utf-8").replace(PLACE, str(tmp_path))
        (tmp_path / each.name).write_text(text, encoding="utf-8")
    name = file.name.replace("@.", "@8080.")
    if name != file.name:
        (tmp_path / name).symlink_to(file.name)

    done = subprocess.run(
        [analyze, "verify", "--man=no", "--recursive-errors=no", str(tmp_path / name)],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )

    told = [line for line in done.stderr.splitlines() if "supplier-api" in line]
    assert (done.returncode, told) == (0, []), done.stderr


def test_the_settings_of_the_services_allow_a_start(tmp_path: Path) -> None:
    words = {
        "database_url": "postgresql://supplier_api:word@127.0.0.1/supplier_api",
        **{name: f"a-secret-of-{name}" for name in ("gateway_client", "gateway", "back_office")},
    }
    for name, word in words.items():
        (tmp_path / name).write_text(word)
        assert name in INSTALL
    environ = {
        name: text.replace("/etc/supplier_api/secrets", str(tmp_path)).replace(
            "/etc/supplier_api", str(tmp_path)
        )
        for name, text in ENVIRONMENT.items()
    }

    settings = load_settings(environ)

    assert settings.profile == "production"
    assert settings.backoffice.adapter == "manual"
    port = unit(DEPLOY / "supplier-api-serve@.service")["Service"]["Environment"]
    assert load_settings({**environ, port.split("=")[0]: "8081"}).server.port == 8081
    # Every door that there is has a unit that serves it, and nginx finds it there.
    others = [listener for listener in listeners(settings) if Door.GATEWAY not in listener.doors]
    units = [f"supplier-api-door@{door}" for each in others for door in each.doors]
    assert [name for name in units if name not in INSTALL] == []
    assert [str(each.address) for each in others] == [
        *UPSTREAMS["supplier_api_back_office"],
        *UPSTREAMS["supplier_api_console"],
    ]
    # People come by the name that nginx answers to, and nginx is the one proxy before the console.
    assert settings.console.url == f"https://{HOSTS[2]}"
    assert settings.console.proxies == 1


def test_nginx_lets_in_what_is_published_and_nothing_else() -> None:
    gateways, insides, peoples = SERVERS
    document = json.loads((ROOT / "docs" / "api" / "supplier.json").read_text(encoding="utf-8"))
    published = [path.replace("{id}", "SPR_1") for path in document["paths"]]

    assert sorted(PROBLEMS) == sorted([*published, TOKEN_PATH])
    assert [path for path in PROBLEMS if not lets_in(gateways, path)] == []
    others = [*INSIDE, "/", "/docs", "/openapi.json", "/metrics", "/admin/clock", "/console"]
    longer = ["/service-problems/1", "/service-problem-resolutions/1/2", f"{TOKEN_PATH}/x"]
    assert [path for path in [*others, *longer] if lets_in(gateways, path)] == []
    assert [path for path in [*INSIDE, TOKEN_PATH] if not lets_in(insides, path)] == []
    assert not any(lets_in(insides, path) for path in published)
    assert [path for path in CONSOLE if not lets_in(peoples, path)] == []
    assert not any(lets_in(peoples, path) for path in [*PROBLEMS, *INSIDE, "/", "/admin/clock"])
    assert not any(lets_in(server, path) for server in (gateways, insides) for path in CONSOLE)
    assert ["deny all;" in server for server in SERVERS] == [False, True, True]


def test_nginx_waits_longer_and_takes_no_more_than_we_do() -> None:
    server = load_settings({}).server
    (size, form) = re.findall(r"client_max_body_size (\d+)k;", NGINX)
    (wait, longer, peoples) = re.findall(r"proxy_read_timeout (\d+)s;", NGINX)

    assert int(size) * 1024 == server.max_body
    assert int(form) * 1024 == MAX_FORM
    assert int(wait) > server.answer_budget
    assert int(longer) > LIMITS["wait"][1]
    assert f"proxy_read_timeout {longer}s;" in SERVERS[1]
    assert f"proxy_read_timeout {peoples}s;" in SERVERS[2]
    assert f"client_max_body_size {form}k;" in SERVERS[2]
    ports = [each.rpartition(":")[2] for each in UPSTREAMS["supplier_api"]]
    assert [f"supplier-api-serve@{port}" in INSTALL for port in ports] == [True, True]


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Path]:
    """Run nginx with what we ship, on sockets in a folder, before a server that echoes paths."""
    conf = re.sub(r"listen (\d+) ssl", rf"listen unix:{tmp_path}/\1 ssl", NGINX)
    conf = re.sub(r"server 127\.0\.0\.1:(\d+)", rf"server unix:{tmp_path}/\1", conf)
    conf = conf.replace("allow 127.0.0.1;", "allow unix:;")
    with ExitStack() as stack:
        for port in ("8081", "8082", "8083"):  # 8080 is down: passed over
            server = stack.enter_context(UnixStreamServer(str(tmp_path / port), Echo))
            Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
        stack.enter_context(serving_nginx(tmp_path, conf))
        eventually(lambda: listens(tmp_path / "443") and listens(tmp_path / "8443"), "nginx")
        yield tmp_path


class Echo(StreamRequestHandler):
    """Answers one request with its path, and with what it says of its caller."""

    def handle(self) -> None:
        path = self.rfile.readline().split()[1]
        said = []
        while line := self.rfile.readline().strip():
            if line.lower().startswith((b"host:", b"x-forwarded-")):
                said.append(line)
        self.wfile.write(b"\r\n".join([b"HTTP/1.0 200 OK", *said, b"", path]))


def listens(file: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as one:
        return one.connect_ex(str(file)) == 0


def fetch(file: Path, path: str, *headers: str) -> tuple[int, str, list[str]]:
    """Return status, body and header lines of a GET by TLS through a socket."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(str(file))
        with context.wrap_socket(plain) as wrapped, wrapped.makefile("rwb") as stream:
            lines = [f"GET {path} HTTP/1.0", *headers, "", ""]
            stream.write("\r\n".join(lines).encode())
            stream.flush()
            head, _, body = stream.read().decode().partition("\r\n\r\n")
            return int(head.split()[1]), body, head.splitlines()[1:]


def test_nginx_itself_does_so(nginx: Path) -> None:
    others = ["/docs", "/admin/clock", "/service-problems/1", f"{TOKEN_PATH}/x", "/consoles/"]
    odd = ["//service-problems", "/x/../docs", "/service-problem-resolutions/1/2"]
    for path in [*PROBLEMS, *INSIDE, *CONSOLE, *others, *odd]:
        for port, host, server in zip(("443", "8443", "443"), HOSTS, SERVERS, strict=True):
            status, body, _ = fetch(nginx / port, path, f"Host: {host}")
            if lets_in(server, path):
                assert (status, body) == (200, path)
            else:
                assert status == 404, (port, host, path)


def test_nginx_tells_the_console_who_called_and_nobody_else_can(nginx: Path) -> None:
    forged = ["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: evil"]
    status, _, said = fetch(nginx / "443", CONSOLE[0], f"Host: {HOSTS[2]}", *forged)

    assert status == 200
    assert {"X-Forwarded-For: unix:", "X-Forwarded-Proto: https"} <= set(said)
    assert "Strict-Transport-Security: max-age=31536000" in said
    status, _, said = fetch(nginx / "443", "/", f"Host: {HOSTS[2]}")
    assert (status, f"Location: https://{HOSTS[2]}{MOUNT}/" in said) == (302, True)


def test_an_image_of_ones_own_stands_on_ours() -> None:
    own = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    ours = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (user,) = re.findall(r"^USER (\S+)$", ours, re.MULTILINE)
    (place,) = re.findall(r"^WORKDIR (/data)$", ours, re.MULTILINE)

    assert own.split("\n\n")[0].count("FROM $SUPPLIER_API") == 1
    lines = [line for line in own.splitlines() if re.match("[A-Z]", line)]
    assert lines[2:7] == [
        "USER 0:0",
        "WORKDIR /config",
        "COPY config .",
        # The files may be their owner's alone where this is built.
        "RUN pip install --no-cache-dir -r plugins.txt && chmod -R a+rX .",
        f"USER {user}",
    ]
    assert lines[7:] == [f"WORKDIR {place}", "ENV SUPPLIER_API_CONFIG_DIR=/config"]
    # pip is the base's, and goes where ours was.
    assert "PIP_PYTHON=/opt/supplier_api/bin/python" in ours
    assert "PIP_CONSTRAINT=/opt/supplier_api/constraints.txt" in ours
    assert "/usr/local/bin:" in ours


def test_the_command_of_a_machine_names_who_called_sudo(tmp_path: Path) -> None:
    (tmp_path / "runuser").write_text('#!/bin/sh\necho "$SUPPLIER_API_OPERATOR:$A:$*"\n')
    (tmp_path / "runuser").chmod(0o755)
    (tmp_path / "supplier_api.env").write_text("A=1\n")
    text = (DEPLOY / "supplier-api").read_text(encoding="utf-8")
    script = text.replace("/etc/supplier_api/", f"{tmp_path}/")

    def operator(**environ: str) -> str:
        path = f"{tmp_path}:{os.environ['PATH']}"
        words = ["sh", "-c", script, "supplier-api", "status", "--json"]
        said = subprocess.run(words, env={"PATH": path, **environ}, capture_output=True, check=True)
        who, _, done = said.stdout.decode().strip().partition(":")
        assert done == f"1:-u supplier-api -- {PLACE}/.venv/bin/supplier-api status --json"
        return who

    assert operator(SUDO_USER="jo") == "jo"
    assert operator(SUDO_USER="jo", SUPPLIER_API_OPERATOR="eve") == "eve"
    assert operator() == ""  # then it is the login name


def test_what_is_installed_is_there() -> None:
    named = set(re.findall(r"deploy/([\w.@-]+)", INSTALL))
    assert {name for name in named if not list(DEPLOY.glob(name or "-"))} == set()
    assert {file.name for file in DEPLOY.iterdir()} - named - {each.name for each in UNITS} == set()
