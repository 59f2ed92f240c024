"""How long it takes from a tenant's create at the sandbox gateway until the supplier has answered.

The gateway answers the tenant with 201, stores the problem as RECEIVED_BY_GATEWAY, and only then
asks the supplier. Its answer is waited for in the gateway's database: what a GET would show from
that moment on, without the load that reading again and again would put on the gateway.

The back office does nothing meanwhile. The simulated one would work on the problems that were
raised seconds before, so that each create would wait behind more KCIs than the last one.
"""

import base64
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from scripts.benchmarks.figures import Figure, Options, at_most, say
from scripts.benchmarks.processes import ROOT, clean_environment
from supplier_api.sandbox.tenant_client import sample

CREATES = 40  # in a round
TENANT = ("tenant", "tenant-secret")  # of the sandbox profile
PAUSE = 0.0005  # seconds between two looks into the database
NO_BACK_OFFICE = {"SUPPLIER_API__BACKOFFICE__PACE": "manual"}
ASKING = {"RECEIVED_BY_GATEWAY", "SENT_TO_SUPPLIER"}


@contextmanager
def running_chain(
    folder: str, *words: str, settings: Mapping[str, str] | None = None
) -> Iterator[Mapping[str, Any]]:
    """Run `supplier-api run` on free ports while the block runs, with its data in `folder`.

    `settings` are environment variables. The block begins when READY is printed; what stands
    behind that word is yielded.
    """
    environ = {
        **clean_environment(),
        "SUPPLIER_API_DATA_DIR": folder,
        "SUPPLIER_API__SERVER__PORT": "0",
        "SUPPLIER_API__SANDBOX__PORT": "0",
        **(settings or {}),
    }
    program = Path(sys.executable).with_name("supplier-api")
    with subprocess.Popen(
        [program, "run", *words], env=environ, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as chain:
        assert chain.stdout is not None
        try:
            yield next(json.loads(line[6:]) for line in chain.stdout if line.startswith("READY "))
        finally:
            chain.terminate()
            chain.stdout.read()


class Tenant:
    """A tenant with one connection to the gateway and a token."""

    def __init__(self, url: str, database: sqlite3.Connection) -> None:
        """Connect to the gateway at `url`, which keeps its problems in `database`."""
        self._connection = HTTPConnection(url.removeprefix("http://"))
        self._database = database
        basic = base64.b64encode(":".join(TENANT).encode()).decode()
        headers = {
            "Authorization": f"Basic {basic}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        token = self._post("/auth/tenant/access-token", "grant_type=client_credentials", headers)
        self._headers = {
            "Authorization": f"Bearer {token['access_token']}",
            "Content-Type": "application/json",
            "X-Request-ID": "1",
            "X-Conversation-ID": "1",
        }

    def raise_problem(self, number: int) -> tuple[float, float]:
        """Raise a problem on the service of that number.

        Returns the milliseconds until the gateway answered, and until the supplier had.
        """
        body = json.dumps(sample(number))
        began = time.monotonic()
        problem = self._post("/service-problems", body, self._headers)
        taken = time.monotonic()
        while self._status(problem["id"]) in ASKING:
            time.sleep(PAUSE)
        return (taken - began) * 1000, (time.monotonic() - began) * 1000

    def _status(self, gateway_id: int) -> str:
        query = "SELECT status FROM problem WHERE id = ?"
        status: str = self._database.execute(query, (gateway_id,)).fetchone()[0]
        return status

    def _post(self, path: str, body: str, headers: Mapping[str, str]) -> dict[str, Any]:
        self._connection.request("POST", path, body, headers)
        answer = self._connection.getresponse()
        document: dict[str, Any] = json.loads(answer.read())
        if answer.status not in {200, 201}:
            raise RuntimeError(f"{path}: {answer.status} {document}")
        return document


def measure(options: Options) -> list[Figure]:
    """Raise problems one after the other."""
    taken, answered = [], []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        running = running_chain(folder, "--no-sample", settings=NO_BACK_OFFICE)
        chain = stack.enter_context(running)
        database = sqlite3.connect(Path(folder) / "sandbox.db", isolation_level=None)
        tenant = Tenant(chain["sandbox"], stack.enter_context(closing(database)))
        # The first round warms up.
        for number in range(options.rounds + 1):
            first = 1_000_000 + number * CREATES
            waits = [tenant.raise_problem(first + each) for each in range(CREATES)]
            if number:
                taken.append(statistics.median(wait for wait, _ in waits))
                answered.append(statistics.median(wait for _, wait in waits))
                say(
                    f"round {number} of {options.rounds}, median of ms:"
                    f" 201 after {taken[-1]:.1f}, the supplier's answer after {answered[-1]:.1f}"
                )
    return [
        Figure(
            "tenant's create at the sandbox gateway until the gateway's 201, p50, no load",
            "ms",
            taken,
            note="the gateway answers before it asks the supplier.",
        ),
        Figure(
            "tenant's create at the sandbox gateway until the supplier has answered, p50, no load",
            "ms",
            answered,
            at_most(30),
            "one create after the other on one connection; no back office works on earlier ones.",
        ),
    ]
