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
from supplier_api.http.backoffice.work_orders import LIMITS
from supplier_api.http.gateway.tokens import TOKEN_PATH
from supplier_api.http.server import GRACE as SERVE_GRACE
from supplier_api.settings import load_settings
from supplier_api.settings.doors import Door, listeners
from tests import programs
from tests.certificates import self_signed
from tests.system.waiting import eventually

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
    assert [f"supplier-api-door@{door}" in INSTALL for each in others for door in each.doors]
    assert [str(each.address) for each in others] == UPSTREAMS["supplier_api_back_office"]


def test_nginx_lets_in_what_is_published_and_nothing_else() -> None:
    gateways, insides = NGINX.split("\nserver {")[1:]
    document = json.loads((ROOT / "docs" / "api" / "supplier.json").read_text(encoding="utf-8"))
    published = [path.replace("{id}", "SPR_1") for path in document["paths"]]

    assert sorted(PROBLEMS) == sorted([*published, TOKEN_PATH])
    assert [path for path in PROBLEMS if not lets_in(gateways, path)] == []
    others = [*INSIDE, "/", "/docs", "/openapi.json", "/metrics", "/admin/clock", "/console"]
    longer = ["/service-problems/1", "/service-problem-resolutions/1/2", f"{TOKEN_PATH}/x"]
    assert [path for path in [*others, *longer] if lets_in(gateways, path)] == []
    assert [path for path in [*INSIDE, TOKEN_PATH] if not lets_in(insides, path)] == []
    assert not any(lets_in(insides, path) for path in published)
    assert "deny all;" in insides


def test_nginx_waits_longer_and_takes_no_more_than_we_do() -> None:
    server = load_settings({}).server
    (size,) = re.findall(r"client_max_body_size (\d+)k;", NGINX)
    (wait, longer) = re.findall(r"proxy_read_timeout (\d+)s;", NGINX)

    assert int(size) * 1024 == server.max_body
    assert int(wait) > server.answer_budget
    assert int(longer) > LIMITS["wait"][1]
    assert f"proxy_read_timeout {longer}s;" in NGINX.split("\nserver {")[2]
    ports = [each.rpartition(":")[2] for each in UPSTREAMS["supplier_api"]]
    assert [f"supplier-api-serve@{port}" in INSTALL for port in ports] == [True, True]


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Path]:
    """Run nginx with what we ship, on sockets in a folder, before a server that echoes paths."""
    try:
        program = programs.find("nginx")
    except programs.NotInstalled as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"tests may not be skipped here: {error}")
        pytest.skip(str(error))
    pem = self_signed(tmp_path)
    conf = re.sub(r"/etc/nginx/tls/supplier_api\.(crt|key)", str(pem), NGINX)
    conf = re.sub(r"listen (\d+) ssl", rf"listen unix:{tmp_path}/\1 ssl", conf)
    conf = re.sub(r"server 127\.0\.0\.1:(\d+)", rf"server unix:{tmp_path}/\1", conf)
    conf = conf.replace("allow 127.0.0.1;", "allow unix:;")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temps = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in kinds)
    file = tmp_path / "nginx.conf"
    file.write_text(
        f"pid {tmp_path}/pid; error_log stderr; daemon off; user root;\n"
        f"events {{}}\nhttp {{ access_log off; {temps}\n{conf}\n}}\n"
    )
    words = [program, "-c", str(file)]
    checked = subprocess.run([*words, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    with ExitStack() as stack:
        for port in ("8081", "8082"):  # 8080 is down: passed over
            server = stack.enter_context(UnixStreamServer(str(tmp_path / port), Echo))
            Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as running:
            eventually(lambda: listens(tmp_path / "443") and listens(tmp_path / "8443"), "nginx")
            yield tmp_path
            running.terminate()


class Echo(StreamRequestHandler):
    """Answers one request with its path."""

    def handle(self) -> None:
        path = self.rfile.readline().split()[1]
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + path)


def listens(file: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as one:
        return one.connect_ex(str(file)) == 0


def fetch(file: Path, path: str) -> tuple[int, str]:
    """Return status and body of a GET by TLS through a socket."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(str(file))
        with context.wrap_socket(plain) as wrapped, wrapped.makefile("rwb") as stream:
            stream.write(f"GET {path} HTTP/1.0\r\nHost: supplier.example\r\n\r\n".encode())
            stream.flush()
            head, _, body = stream.read().decode().partition("\r\n\r\n")
            return int(head.split()[1]), body


def test_nginx_itself_does_so(nginx: Path) -> None:
    gateways, insides = NGINX.split("\nserver {")[1:]
    others = ["/", "/docs", "/admin/clock", "/service-problems/1", f"{TOKEN_PATH}/x"]
    odd = ["//service-problems", "/x/../docs", "/service-problem-resolutions/1/2"]
    for path in [*PROBLEMS, *INSIDE, *others, *odd]:
        for port, server in (("443", gateways), ("8443", insides)):
            status, body = fetch(nginx / port, path)
            if lets_in(server, path):
                assert (status, body) == (200, path)
            else:
                assert status == 404, (port, path)


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


def test_what_is_installed_is_there() -> None:
    named = set(re.findall(r"deploy/([\w.@-]+)", INSTALL))
    assert {name for name in named if not list(DEPLOY.glob(name or "-"))} == set()
    assert {file.name for file in DEPLOY.iterdir()} - named - {each.name for each in UNITS} == set()
