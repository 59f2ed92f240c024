"""`supplier-api run` as a newcomer sees it: real processes on free ports."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from supplier_api.cli.local import is_free
from tests.integration.delivery.sink import answer, serving
from tests.system.callers import problem_on_own_service
from tests.system.installation import free_port, new_session
from tests.waiting import PATIENCE, eventually

pytestmark = pytest.mark.slow

SHAPE = Path(__file__).with_name("run.txt")
# A reference, a time, a port and so on, as they stand in run.txt.
MASKS = {
    r"\d\d:\d\d:\d\d\.\d\d\d": "HH:MM:SS.mmm",
    r"SP_[0-9A-Z]{10}": "SP_REFERENCE0",
    r"(?<=127\.0\.0\.1:)\d+": "PORT",
    r"(?<=Python )\d\S+, .*": "VERSION, HOW IT IS INSTALLED",
    r"(?<=schema )\d{4}": "NNNN",
    r"(?<=SQLite )\d\.\d+": "N.NN",
    r"READY \{.*\}": "READY {JSON}",
}


class Run:
    """A `supplier-api run` that goes on until it is stopped."""

    def __init__(self, folder: Path, *words: str, **environ: str) -> None:
        foreign = {name: value for name, value in os.environ.items() if "SUPPLIER_API" not in name}
        self.environ = foreign | {
            "SUPPLIER_API__SERVER__PORT": str(free_port()),
            "SUPPLIER_API__SANDBOX__PORT": str(free_port()),
            "SUPPLIER_API__BACKOFFICE__PACE": "0.1",
            **environ,
        }
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "supplier_api.cli", "run", *words],
            cwd=folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def lines_until(self, label: str) -> list[str]:
        """Return what it prints up to the line that begins with `label`; fail if it ends before."""
        lines = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith(label):
                return lines
        pytest.fail("it ended:\n" + "\n".join(lines))

    def endpoints(self) -> dict[str, object]:
        """Return what stands in var/endpoints.json."""
        found: dict[str, object] = json.loads((self.folder / "var/endpoints.json").read_text())
        return found

    def stop(self) -> int:
        """Press Ctrl-C and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)

    def again(self, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run another one beside it, which should refuse."""
        return subprocess.run(
            [sys.executable, "-m", "supplier_api.cli", "run"],
            cwd=self.folder,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


@contextmanager
def running(folder: Path, *words: str, **environ: str) -> Iterator[Run]:
    run = Run(folder, *words, **environ)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.communicate()


def token(url: str, client: str) -> str:
    """Return a token for one of the sandbox's clients."""
    form = {"grant_type": "client_credentials"}
    answer = new_session().post(url, data=form, auth=(client, f"{client}-secret"), timeout=PATIENCE)
    return str(answer.json()["access_token"])


def call(
    bearer: str, method: str, url: str, document: dict[str, Any] | None = None
) -> requests.Response:
    """Send a request as somebody who tries it out does."""
    headers = {
        "Authorization": f"Bearer {bearer}",
        "X-Request-ID": "1",
        "X-Conversation-ID": "by-hand",
        "Tenant": "TENANT1",
    }
    return new_session().request(method, url, json=document, headers=headers, timeout=PATIENCE)


def masked(lines: list[str]) -> str:
    text = "\n".join(lines) + "\n"
    for pattern, mask in MASKS.items():
        text = re.sub(pattern, mask, text)
    return text


def test_from_nothing_to_a_resolved_sample(tmp_path: Path) -> None:
    with running(tmp_path) as run:
        lines = run.lines_until("serving")

        assert masked(lines) == SHAPE.read_text()
        ready = json.loads(next(line for line in lines if line.startswith("READY"))[6:])
        assert ready == run.endpoints()
        assert_commands_work(run, lines)
        assert_a_second_one_is_refused(run)
        assert not [each for each in tmp_path.glob("var/**/*") if each.stat().st_mode & 0o077]
        assert run.stop() == 0
    assert not (tmp_path / "var/endpoints.json").exists()

    with running(tmp_path, "--no-sample") as run:
        lines = run.lines_until("serving")

        assert lines[2].endswith("1 problem, 0 undelivered")
        assert not any(line.startswith("sample") for line in lines)
        os.kill(int(run.endpoints()["pids"]["worker"]), signal.SIGKILL)  # type: ignore[index]
        assert run.process.wait(PATIENCE) == 1
        assert run.process.stdout is not None
        assert "worker was killed by signal 9" in run.process.stdout.read()


def assert_commands_work(run: Run, lines: list[str]) -> None:
    """Paste the lines of "look next" into one shell, but those that open a window or never end."""
    first = next(number for number, line in enumerate(lines) if line.startswith("look next"))
    commands = [line[11:] for line in lines[first:-1]]
    pasted = [line for line in commands if not line.startswith(("python3 -m webbrowser", "tail"))]
    assert len(commands) <= 6
    path = f"{Path(sys.executable).parent}:{run.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(pasted)],
        cwd=run.folder,
        env=run.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "RESOLVED" in done.stdout
    assert done.stdout.count("RECEIVED_BY_GATEWAY") >= 1


def assert_a_second_one_is_refused(run: Run) -> None:
    second = run.again()

    assert second.returncode == 1
    assert re.match(r"Error: already running here since \d\d:\d\d \(PID \d+\)", second.stderr)


def test_whom_others_can_call_says_how_to_sign_in(tmp_path: Path) -> None:
    environ = {
        "SUPPLIER_API__SERVER__HOST": "0.0.0.0",
        "SUPPLIER_API__SANDBOX__ALLOW_DEFAULT_SECRETS": "true",
    }
    with running(tmp_path, "--no-sample", **environ) as run:
        lines = run.lines_until("serving")
        (line,) = (line for line in lines if line.startswith("console"))
        link = line.split()[1]

        assert link.startswith(f"{run.endpoints()['supplier']}/console/sign-in/link/")
        assert new_session().get(link, timeout=PATIENCE).status_code == 200
        assert run.stop() == 0


def test_a_gateway_of_somebody_else_is_told_nothing_and_shown_no_sample(tmp_path: Path) -> None:
    with serving() as elsewhere:
        elsewhere.kci_reactions.append(answer(401))  # which asks for a token
        environ = {
            "SUPPLIER_API__GATEWAY__KCI_URL": f"{elsewhere.url}/kcis",
            "SUPPLIER_API__GATEWAY__TOKEN_URL": f"{elsewhere.url}/access-token",
        }
        with running(tmp_path, **environ) as run:
            lines = run.lines_until("serving")
            [sample] = [line for line in lines if line.startswith("sample")]
            told = (
                f"none: its updates would go to {elsewhere.url}/kcis, not to this sandbox gateway"
            )
            assert sample.endswith(told)

            clock = f"{run.endpoints()['supplier']}/admin/clock?wait=30s"
            moved = new_session().post(clock, json={"advanceSeconds": 60}, timeout=PATIENCE)
            assert moved.status_code == 200, moved.text
            assert run.stop() == 0

    assert [elsewhere.kcis, elsewhere.tokens, elsewhere.others] == [[], [], []]


def test_who_plays_at_the_suppliers_own_door_stops_nothing(tmp_path: Path) -> None:
    with running(tmp_path, "--no-sample", SUPPLIER_API__BACKOFFICE__PACE="0.01") as run:
        run.lines_until("serving")
        supplier, sandbox = (str(run.endpoints()[name]) for name in ("supplier", "sandbox"))
        own = token(f"{supplier}/oauth2/token", "gateway")
        ids = [1_764_534_000 + place for place in range(6)]
        for problem_id in ids:
            raised = call(
                own, "POST", f"{supplier}/service-problems", problem_on_own_service(problem_id)
            )
            assert raised.status_code == 201
        tenant = token(f"{sandbox}/auth/tenant/access-token", "tenant")

        def resolved() -> bool:
            shown = [call(tenant, "GET", f"{sandbox}/service-problems/{each}") for each in ids]
            return all(each.json().get("status") == "RESOLVED" for each in shown)

        eventually(resolved, "the gateway to show their tenant all six")
        shown = call(tenant, "GET", f"{sandbox}/service-problems/{ids[0]}").json()
        assert "past the gateway" in shown["updates"][0]["information"]["text"]
        assert run.stop() == 0

    with running(tmp_path) as run:
        lines = run.lines_until("serving")
        assert any(line.startswith("done") for line in lines), lines


def test_a_sample_that_does_not_end_stops_nothing(tmp_path: Path) -> None:
    slow = {"SUPPLIER_API__BACKOFFICE__PACE": "1000"}
    with running(tmp_path, "--sample-seconds", "1", **slow) as run:
        lines = run.lines_until("serving")
        told = next(line for line in lines if "not at its end" in line)
        assert told.startswith("sample     not at its end after 1 s: ")
        assert run.process.poll() is None
        assert run.stop() == 0


def test_the_parts_end_when_it_is_killed(tmp_path: Path) -> None:
    chosen = {"SUPPLIER_API__SERVER__PORT": "0", "SUPPLIER_API__SANDBOX__PORT": "0"}
    with running(tmp_path, "--no-sample", **chosen) as run:
        run.lines_until("serving")
        ports = [
            int(str(run.endpoints()[name]).rpartition(":")[2]) for name in ("supplier", "sandbox")
        ]

        run.process.kill()

        for port in ports:
            eventually(lambda port=port: is_free("127.0.0.1", port), f"port {port} to be free")  # type: ignore[misc]


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = Run(tmp_path, SUPPLIER_API__SERVER__PORT=str(port))
        output, _ = refused.process.communicate()

    assert refused.process.returncode == 1
    assert output.startswith(f"Error: port {port} is in use (by PID {os.getpid()}, ")
    assert re.search(r"; try SUPPLIER_API__SERVER__PORT=\d+ make run$", output.strip())
    assert list(tmp_path.iterdir()) == []


def test_production_has_nothing_to_play(tmp_path: Path) -> None:
    refused = Run(
        tmp_path,
        SUPPLIER_API_PROFILE="production",
        SUPPLIER_API__BACKOFFICE__ADAPTER="ours",
        SUPPLIER_API__GATEWAY__KCI_URL="https://gateway.example/kcis",
        SUPPLIER_API__GATEWAY__TOKEN_URL="https://gateway.example/token",
        SUPPLIER_API__GATEWAY__CLIENT_ID="us",
        SUPPLIER_API__GATEWAY__CLIENT_SECRET="a-long-secret-of-one",
        SUPPLIER_API__ACCESS__CLIENTS__GATEWAY__SECRET="a-long-secret-of-two",
        SUPPLIER_API__ACCESS__CLIENTS__BACK_OFFICE__SECRET="a-long-secret-of-three",
    )
    output, _ = refused.process.communicate()

    assert refused.process.returncode == 1
    assert "in production use `serve` and `worker`" in output
    assert list(tmp_path.iterdir()) == []
