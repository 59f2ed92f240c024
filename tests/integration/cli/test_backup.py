"""`supplier-api db backup` and `db restore`: rehearsed under load; what the doctor says then."""

import json
import os
import resource
import shlex
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from supplier_api.app.services import ClockPair
from supplier_api.app.web import create_app
from supplier_api.clock import ManualBusinessClock, ManualMachineClock, from_wire
from supplier_api.ids import SeededIdSource
from supplier_api.problems.repository import ProblemRepository
from supplier_api.settings import Settings
from tests.commands import Ran, run_command
from tests.postgresql import database
from tests.samples import problem_request
from tests.supplier import Supplier, on_sqlite
from tests.waiting import PATIENCE

Run = Callable[..., Ran]


@pytest.fixture
def app(own_app: Flask) -> Flask:
    """Return an application of the test's own."""
    return own_app


@pytest.fixture
def sqlite_file(own_sqlite_file: str) -> str:
    """Return the URL of a file that the test may damage."""
    return own_sqlite_file


@pytest.fixture
def clocks() -> tuple[ManualMachineClock, ManualBusinessClock, ClockPair]:
    """Stand at the host's time, which is what the commands go by."""
    machine = ManualMachineClock(datetime.now(UTC))
    business = ManualBusinessClock(machine)
    return machine, business, ClockPair(machine, business, SeededIdSource(1))


@pytest.fixture
def run(environ: dict[str, str]) -> Run:
    def run(*words: str, **more: str) -> Ran:
        return run_command(words, {**environ, **more})

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the database is."""
    return tmp_path / "supplier.db"


class Load:
    """A gateway that goes on raising problems, from a thread of its own."""

    def __init__(self, supplier: Supplier) -> None:
        self._supplier = supplier
        self._headers = supplier.headers()
        self._stop = threading.Event()
        self._news = threading.Condition()
        self.answered: list[int] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def wait_for(self, count: int) -> list[int]:
        """Return what is answered once so many are."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.answered) >= count, PATIENCE)
            return list(self.answered)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        client = self._supplier.app.test_client()
        for number in range(1, 5000):
            if self._stop.is_set():
                return
            body = problem_request(id=number, serviceId=f"SI2345{number:09}")
            answer = client.post("/service-problems", json=body, headers=self._headers)
            with self._news:
                assert answer.status_code in (201, 202)
                self.answered.append(number)
                self._news.notify_all()


def again(
    settings: Settings, clocks: tuple[ManualMachineClock, ManualBusinessClock, ClockPair]
) -> Supplier:
    """Start the supplier once more on the same settings."""
    machine, business, given = clocks
    app: Flask = create_app(settings, given)
    return Supplier(app, app.test_client(), machine, business)


def gateway_ids(supplier: Supplier) -> set[int]:
    found = supplier.services.store.read(lambda uow: ProblemRepository(uow).listed(limit=10_000))
    return {each.gateway_id for each in found}


@on_sqlite
def test_a_rehearsal(
    supplier: Supplier,
    settings: Settings,
    clocks: tuple[ManualMachineClock, ManualBusinessClock, ClockPair],
    run: Run,
    file: Path,
    tmp_path: Path,
) -> None:
    """Copy under load, lose the machine, put the copy back beside a stale -wal, drive on."""
    load = Load(supplier)
    before = load.wait_for(10)
    begun = datetime.now(UTC)
    copy = tmp_path / "copies" / "copy.db"
    copied = run("db", "backup", str(copy))
    after = load.wait_for(len(load.answered) + 10)
    load.stop()
    assert copied.exit_code == 0, copied.output

    refused = run("db", "restore", str(copy))
    assert (refused.exit_code, "other processes work on" in refused.stderr) == (1, True)
    assert gateway_ids(supplier) >= set(after)

    lost = [file.with_name(f"supplier.db{suffix}") for suffix in ("-wal", "-shm")]
    for part in lost:
        shutil.copy(part, tmp_path / f"stale{part.name[11:]}")
    supplier.services.store.close()
    for part in lost:
        shutil.copy(tmp_path / f"stale{part.name[11:]}", part)

    restored = run("db", "restore", str(copy))
    assert restored.exit_code == 0, restored.output
    assert not any(part.exists() for part in lost)
    assert run("doctor").exit_code == 1

    supplier = again(settings, clocks)
    known = gateway_ids(supplier)
    assert set(before) <= known < set(after)
    unknown = problem_request(id=max(after), serviceId=f"SI2345{max(after):09}")
    assert supplier.create(unknown).status_code in (201, 202)
    new = problem_request(id=9999, serviceId="SI2345999999999")
    assert supplier.create(new).status_code in (201, 202)
    supplier.services.store.close()

    report = json.loads(run("doctor", "--json").stdout)
    (found,) = [each for each in report["findings"] if "put back from" in each["check"]]
    said = found["cases"][0]["text"].split()
    since, until = (from_wire(said[said.index(word) + 1]) for word in ("from", "to"))
    assert begun.replace(microsecond=0) <= since <= until
    assert any("ask the gateway which KCIs" in line for line in found["cases"][0]["mend"])
    assert run("db", "reconciled", "--reason", "asked").exit_code == 0
    assert run("db", "reconciled", "--reason", "asked").exit_code == 1
    assert run("doctor").exit_code == 0


@on_sqlite
def test_what_was_there_is_kept(run: Run, file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert run("db", "backup", str(copy)).exit_code == 0
    run("maintenance", "on", "--reason", "since the copy")

    assert run("db", "restore", str(copy)).exit_code == 0
    assert run("maintenance", "show").stdout.startswith("off")
    kept = tmp_path / "supplier-before-restore.db"
    url = f"sqlite:///{kept}"
    shown = run("maintenance", "show", SUPPLIER_API__DATABASE__URL=url)
    assert "since the copy" in shown.stdout

    file.write_bytes(b"nothing of a database")
    file.with_name("supplier.db-wal").write_bytes(b"of another")
    assert run("db", "restore", str(copy)).exit_code == 0
    assert run("maintenance", "show").exit_code == 0
    again = tmp_path / "supplier-before-restore-2.db"
    assert again.read_bytes() == b"nothing of a database"
    assert again.with_name(f"{again.name}-wal").read_bytes() == b"of another"


@on_sqlite
def test_a_copy_is_of_its_owner_alone_and_made_once(run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert run("db", "backup", str(copy)).exit_code == 0
    assert copy.stat().st_mode & 0o777 == 0o600
    was = copy.read_bytes()
    refused = run("db", "backup", str(copy))
    assert (refused.exit_code, refused.stderr) == (1, f"Error: {copy}: is there already\n")
    assert copy.read_bytes() == was
    assert not list(tmp_path.glob("*.partial*"))
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


@contextmanager
def little_room() -> Iterator[None]:
    """Let no file grow beyond 100 kB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@on_sqlite
def test_a_copy_without_room_is_the_one_that_is_named(run: Run, file: Path, tmp_path: Path) -> None:
    copy, full = tmp_path / "copy.db", tmp_path / "full.db"
    assert run("db", "backup", str(copy)).exit_code == 0
    was = sorted(tmp_path.iterdir())
    with little_room():
        refused = run("db", "backup", str(full))
    assert (refused.exit_code, refused.stderr) == (1, f"Error: {full}: disk I/O error\n")
    with little_room():
        refused = run("db", "restore", str(copy))
    assert (refused.exit_code, refused.stderr) == (1, f"Error: {file}: disk I/O error\n")
    # Nor is half a copy left.
    assert sorted(tmp_path.iterdir()) == was
    assert run("db", "restore", str(copy)).exit_code == 0


@on_sqlite
@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, None])
def test_what_is_no_copy_is_not_put_back(
    run: Run, file: Path, tmp_path: Path, content: bytes | None
) -> None:
    was = file.read_bytes()
    copy = tmp_path / "copy.db"
    if content is None:
        run("db", "backup", str(copy))
        content = copy.read_bytes()[:100_000]
    copy.write_bytes(content)

    refused = run("db", "restore", str(copy))

    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"Error: {copy}: ")
    assert file.read_bytes() == was
    for words in (("db", "restore", str(file)), ("db", "restore", str(tmp_path / "nowhere"))):
        assert run(*words).exit_code == 1
    assert file.read_bytes() == was


def programs() -> Path:
    """Return the folder of PostgreSQL's own tools."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_restore"))
    if not found:
        pytest.skip("no pg_restore here")
    return found[-1].parent


def typed(ran: Ran, number: int) -> None:
    """Type a line that a refusal names."""
    line = ran.stderr.splitlines()[1 + number].strip()
    environ = {**os.environ, "PATH": f"{programs()}:{os.environ['PATH']}"}
    subprocess.run(shlex.split(line), env=environ, check=True, capture_output=True)


@pytest.mark.parametrize("upgraded_url", ["emptied_postgresql"], indirect=True, ids=["postgresql"])
def test_postgresql_is_copied_and_put_back_by_the_lines_that_are_named(
    run: Run, postgresql_server: str, tmp_path: Path
) -> None:
    copy = tmp_path / "a copy"
    run("maintenance", "on", "--reason", "as at the copy")
    backed_up = run("db", "backup", str(copy))
    assert backed_up.exit_code == 1
    typed(backed_up, 0)

    with database(postgresql_server, "test_restored") as url:
        named = run("db", "restore", str(copy), SUPPLIER_API__DATABASE__URL=url)
        assert named.exit_code == 1
        typed(named, 0)
        on = {"SUPPLIER_API__DATABASE__URL": url}
        assert "as at the copy" in run("maintenance", "show", **on).stdout
        noted = run("db", "restored", "--reason", "rehearsal", "--taken", "1h", **on)
        assert noted.exit_code == 0, noted.output
        assert "put back from" in run("doctor", **on).stdout


def test_no_password_stands_in_a_line_to_type(run: Run) -> None:
    url = "postgresql://me:hidden@db.example:5433/supplier?sslmode=require&password=hidden"
    for words in (("db", "backup", "copy"), ("db", "restore", "copy")):
        said = run(*words, SUPPLIER_API__DATABASE__URL=url).stderr
        assert "postgresql://me@db.example:5433/supplier?sslmode=require" in said
        assert "hidden" not in said
