"""Problems spread over two databases by their key, behind one worker process, beside one database.

The same load in turns: problems raised through two web processes and begun by the back office, then
their KCIs delivered by one worker process; once with everything in one database, once with each
problem in the one that its key names. At the end every row is looked at: a problem has to be in its
place with all that belongs to it, or the measurement fails.
"""

import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import requests
from sqlalchemy import func, select

from scripts.benchmarks.common import CORES, Options, Section, running, spread, table
from scripts.benchmarks.creates import DURABLE
from scripts.benchmarks.house import BODY, FIRST_ID, SECRETS, SERVICES, House, make_house
from scripts.benchmarks.receiver import Receiver
from supplier_api.clock import SystemMachineClock
from supplier_api.db import Store
from supplier_api.db.tables import decision, lane, message, service_problem
from supplier_api.outbox.repository import LaneRepository
from tests import postgresql

CALLERS = 8
TENANTS = 5
PATIENCE = 120.0  # seconds
PER_SECOND = 150  # problems that are raised for each second of a round
EVERYWHERE = frozenset(CORES)
NAMES = {1: "one database", 2: "two databases"}


def place_of(tenant: str, gateway_id: int, databases: int) -> int:
    """Return in which of so many databases a problem lives, with all that belongs to it."""
    return crc32(f"{tenant}:{gateway_id}".encode()) % databases


@dataclass(frozen=True)
class Side:
    """Two web processes over one database, or each over one of two."""

    urls: Sequence[str]
    houses: Sequence[House]
    doors: Sequence["Door"]
    webs: Sequence[int]  # process ids
    server: int

    @property
    def name(self) -> str:
        """Return what the page calls it."""
        return NAMES[len(self.urls)]

    def door_of(self, tenant: str, gateway_id: int) -> "Door":
        """Return the web process to call: any one, or the one over the problem's database."""
        if len(self.urls) == 1:
            return self.doors[gateway_id % len(self.doors)]
        return self.doors[place_of(tenant, gateway_id, len(self.urls))]


class Door:
    """A web process, with the tokens of those who call it."""

    def __init__(self, house: House) -> None:
        """Get the tokens; the house must serve."""
        self._url = house.url
        self._tokens = {
            client: _token(house, client, SECRETS[f"ACCESS__CLIENTS__{name}__SECRET"])
            for client, name in (("gateway", "GATEWAY"), ("back-office", "BACK_OFFICE"))
        }

    def begin(self, session: requests.Session, tenant: str, gateway_id: int) -> None:
        """Raise a problem, and let the back office begin: that makes a KCI."""
        body = {**BODY, "id": gateway_id, "serviceId": f"SI{gateway_id % SERVICES:013d}"}
        answer = self._post(session, "gateway", "/service-problems", body, tenant, gateway_id)
        path = f"/back-office/v1/problems/{answer['supplierReference']}/events"
        event = {"id": f"event-{gateway_id}", "event": "start"}
        self._post(session, "back-office", path, event, tenant, gateway_id)

    def _post(
        self,
        session: requests.Session,
        client: str,
        path: str,
        body: object,
        tenant: str,
        gateway_id: int,
    ) -> dict[str, str]:
        headers = {
            "Authorization": f"Bearer {self._tokens[client]}",
            "X-Request-ID": f"request-{gateway_id}",
            "X-Conversation-ID": f"conversation-{gateway_id}",
            "Tenant": tenant,
        }
        answer = session.post(self._url + path, json=body, headers=headers, timeout=30)
        answer.raise_for_status()
        said: dict[str, str] = answer.json()
        return said


@dataclass
class Costs:
    """What was found on one side, round by round: rates a second, and milliseconds of CPU each."""

    raised: list[float] = field(default_factory=list)
    delivered: list[float] = field(default_factory=list)
    web: list[float] = field(default_factory=list)
    worker: list[float] = field(default_factory=list)
    raising: list[float] = field(default_factory=list)
    delivering: list[float] = field(default_factory=list)


def measure(options: Options) -> Section:
    """Measure one database and two in turns, then look where everything is."""
    serial = itertools.count(FIRST_ID)
    count = int(options.seconds * PER_SECOND)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        receiver = stack.enter_context(closing(Receiver()))
        server = stack.enter_context(postgresql.server(DURABLE))
        sides = [stack.enter_context(_side(folder, server, receiver, n)) for n in NAMES]
        costs = [Costs() for _ in sides]
        for _ in range(options.rounds):
            for side, cost in zip(sides, costs, strict=True):
                _raise(side, cost, count, serial)
                _deliver(side, cost, count, receiver)
        places = [" and ".join(map(str, _look(side))) for side in sides]
    return Section("Two databases behind one worker process", _lines(costs, places))


def _lines(costs: Sequence[Costs], places: Sequence[str]) -> list[str]:
    rows = [
        ["problems raised and begun a second", *(spread(each.raised, 0) for each in costs)],
        ["ms of CPU for each problem: web processes", *(spread(each.web) for each in costs)],
        ["ms of CPU for each problem: database server", *(spread(each.raising) for each in costs)],
        ["KCIs a second", *(spread(each.delivered, 0) for each in costs)],
        [
            "ms of CPU for each KCI or work order: worker process",
            *(spread(each.worker) for each in costs),
        ],
        [
            "ms of CPU for each KCI or work order: database server",
            *(spread(each.delivering) for each in costs),
        ],
        ["problems in each database, at the end", *places],
    ]
    return [
        *table(["", *NAMES.values()], rows),
        "",
        "Two web processes, one worker process, one PostgreSQL server, all on the same cores. Each",
        "problem was raised where a hash of tenant and gateway id says. Afterwards all rows were",
        "looked at: problem, decision, lanes and messages are in that database and nowhere else.",
    ]


@contextmanager
def _side(folder: Path, server: str, receiver: Receiver, databases: int) -> Iterator[Side]:
    with ExitStack() as stack:
        urls = [
            stack.enter_context(postgresql.database(server, f"scale_{databases}_{number}"))
            for number in range(databases)
        ]
        houses = [
            make_house(folder / f"{databases}-{number}", url)
            for number, url in enumerate(urls * (2 // databases))
        ]
        for house in houses:
            house.environ["SUPPLIER_API__GATEWAY__KCI_URL"] = receiver.kci_url
            house.environ["SUPPLIER_API__GATEWAY__TOKEN_URL"] = receiver.token_url
        webs = [stack.enter_context(house.serving(EVERYWHERE)).pid for house in houses]
        yield Side(urls, houses, [Door(house) for house in houses], webs, _server_of(urls[0]))


def _token(house: House, client: str, secret: str) -> str:
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    answer = requests.post(f"{house.url}/oauth2/token", data=form, timeout=30)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def _raise(side: Side, cost: Costs, count: int, serial: Iterator[int]) -> None:
    """Raise so many problems, each where its key says."""
    ids = [next(serial) for _ in range(count)]

    def call(share: Sequence[int]) -> None:
        with requests.Session() as session:
            session.trust_env = False
            for gateway_id in share:
                tenant = f"TENANT{gateway_id % TENANTS}"
                side.door_of(tenant, gateway_id).begin(session, tenant, gateway_id)

    shares = [ids[number::CALLERS] for number in range(CALLERS)]
    with (
        ThreadPoolExecutor(CALLERS) as pool,
        _spent(side.webs) as web,
        _spent([side.server]) as database,
    ):
        list(pool.map(call, shares))
    cost.raised.append(count / web.seconds)
    cost.web.append(1000 * web.cpu / count)
    cost.raising.append(1000 * database.cpu / count)


def _deliver(side: Side, cost: Costs, problems: int, receiver: Receiver) -> None:
    """Let one worker process deliver all that is queued: a KCI and a work order of each problem."""
    count = 2 * problems
    ready = side.houses[0].folder / "ready"
    words = [sys.executable, "-m", "scripts.benchmarks.many", str(ready), *side.urls]
    with running(words, side.houses[0].environ) as process:
        _wait_until(ready.exists, "the worker to be ready")
        with _spent([process.pid]) as worker, _spent([side.server]) as database:
            ready.unlink()
            _wait_until(lambda: not any(map(_undelivered, side.urls)), "all to be delivered")
    moments = receiver.arrivals()
    cost.delivered.append(len(moments) / (max(moments) - min(moments)))
    cost.worker.append(1000 * worker.cpu / count)
    cost.delivering.append(1000 * database.cpu / count)


def _wait_until(is_so: Callable[[], bool], what: str) -> None:
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > PATIENCE:
            raise TimeoutError(f"waited in vain for {what}")
        time.sleep(0.2)


@dataclass
class Spent:
    """Seconds that passed, and seconds of CPU that processes used meanwhile."""

    seconds: float = 0.0
    cpu: float = 0.0


@contextmanager
def _spent(pids: Sequence[int]) -> Iterator[Spent]:
    spent = Spent()
    began, before = time.monotonic(), sum(map(_cpu_of, pids))
    yield spent
    spent.seconds = time.monotonic() - began
    spent.cpu = sum(map(_cpu_of, pids)) - before


def _cpu_of(pid: int) -> float:
    """Return the seconds of CPU of a process, its children and those that have ended (Linux)."""
    folder = Path("/proc") / str(pid)
    fields = (folder / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
    ticks = sum(map(int, fields[11:15]))  # its own time and its ended children's
    children = (folder / "task" / folder.name / "children").read_text(encoding="ascii")
    seconds = ticks / os.sysconf("SC_CLK_TCK")
    for child in children.split():
        with suppress(OSError):
            seconds += _cpu_of(int(child))
    return seconds


def _server_of(url: str) -> int:
    """Return the process that all connections to a database belong to."""
    with closing(Store(url, SystemMachineClock())) as store, store.engine.connect() as connection:
        backend = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        status = Path(f"/proc/{backend}/status").read_text(encoding="ascii")
    return int(status.partition("PPid:")[2].split()[0])


def _undelivered(url: str) -> int:
    with closing(Store(url, SystemMachineClock())) as store:
        return store.read(lambda uow: LaneRepository(uow).count_undelivered())


def _look(side: Side) -> list[int]:
    """Return how many problems each database has; raises RuntimeError for one out of its place.

    Nothing can refer to a row of another database: so what is counted here belongs together.
    """
    counts = []
    for place, url in enumerate(side.urls):
        with closing(Store(url, SystemMachineClock())) as store, store.engine.connect() as reading:
            problem = service_problem.c
            found = reading.execute(select(problem.tenant, problem.gateway_id)).all()
            parts = [
                reading.execute(select(func.count(func.distinct(part)))).scalar_one()
                for part in (decision.c.problem_id, lane.c.problem_id, message.c.lane_id)
            ]
        strays = [row for row in found if place_of(*row, len(side.urls)) != place]
        # Each problem has a decision, and two lanes with messages: a KCI and a work order.
        if strays or parts != [len(found), len(found), 2 * len(found)]:
            raise RuntimeError(f"out of place: {strays[:3]}, {parts} of {len(found)}")
        counts.append(len(found))
    return counts
