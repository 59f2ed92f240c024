"""Behind a connection pooler each transaction may be on another session of the server."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from supplier_api.app.web import create_app
from supplier_api.cli import main
from supplier_api.clock import SystemMachineClock
from supplier_api.db import Store, UnitOfWork
from supplier_api.db.notify import Wakeup
from supplier_api.outbox.repository import LaneRepository
from supplier_api.settings import load_settings
from tests.pgbouncer import through
from tests.samples import amendment_request, problem_request
from tests.supplier import Supplier, manual_clocks
from tests.waiting import PATIENCE

PROBLEMS = range(1, 41)
AT_ONCE = 16  # more than the pooler has sessions
MakePooler = Callable[[str], str]
on_postgresql = pytest.mark.parametrize(
    "upgraded_url", ["emptied_postgresql"], indirect=True, ids=["postgresql"]
)


@pytest.fixture
def pooled(
    environ: dict[str, str], upgraded_url: str, make_pooler: MakePooler
) -> Callable[[str], dict[str, str]]:
    """Return a function for the environment of a supplier behind a pooler of this mode."""

    def pooled(mode: str) -> dict[str, str]:
        return {**environ, "SUPPLIER_API__DATABASE__URL": through(make_pooler(mode), upgraded_url)}

    return pooled


Pooled = Callable[[str], dict[str, str]]


@on_postgresql
@pytest.mark.parametrize("command", [["status"], ["worker"], ["problem", "list"]])
def test_a_pooler_that_shares_sessions_is_refused_with_what_to_do(
    pooled: Pooled, command: list[str]
) -> None:
    result = CliRunner().invoke(main, command, env=pooled("transaction"))

    assert result.exit_code == 1
    assert "set SUPPLIER_API__DATABASE__LISTEN_URL to the server itself" in result.output


@on_postgresql
def test_a_way_past_the_pooler_that_leads_through_it_is_refused_too(pooled: Pooled) -> None:
    environ = pooled("transaction")
    environ["SUPPLIER_API__DATABASE__LISTEN_URL"] = environ["SUPPLIER_API__DATABASE__URL"]

    result = CliRunner().invoke(main, ["problem", "list"], env=environ)

    assert result.exit_code == 1
    assert "LISTEN_URL" in result.output


@on_postgresql
def test_a_pooler_that_keeps_a_session_for_each_client_is_as_good_as_none(pooled: Pooled) -> None:
    result = CliRunner().invoke(main, ["problem", "list"], env=pooled("session"))

    assert result.exit_code == 0, result.output


@on_postgresql
def test_with_a_way_past_it_a_pooler_may_share_sessions(pooled: Pooled, upgraded_url: str) -> None:
    environ = {**pooled("transaction"), "SUPPLIER_API__DATABASE__LISTEN_URL": upgraded_url}
    machine, business, clocks = manual_clocks()
    app = create_app(load_settings(environ), clocks)

    def raise_and_amend(number: int) -> tuple[int, int]:
        supplier = Supplier(app, app.test_client(), machine, business)
        problem = supplier.opened(id=number, serviceId=f"SI9{number:012}")
        answer = supplier.amend(problem.named(amendment_request(id=number)))
        return number, answer.status_code

    with closing(app.extensions["services"].store) as store:
        watch = Wakeup(store.listen_url, machine)
        wake_event = watch.wake_event()
        watch.start()
        assert wake_event.wait(PATIENCE)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(raise_and_amend, PROBLEMS))
        assert answers == [(number, 201) for number in PROBLEMS]
        assert wake_event.wait(PATIENCE)
        watch.stop()
        supplier = Supplier(app, app.test_client(), machine, business)
        supplier.deliver()
        assert store.read(_settings_of_the_session) == []
        assert supplier.create(problem_request(id=1)).status_code == 422

    result = CliRunner().invoke(main, ["db", "upgrade"], env=environ)
    assert "nothing to do" in result.output


def _settings_of_the_session(uow: UnitOfWork) -> list[str]:
    """Return the settings that another client left in the session."""
    query = text(
        "SELECT name FROM pg_settings WHERE source = 'session' AND reset_val <> setting"
        " AND name NOT IN ('lock_timeout', 'idle_in_transaction_session_timeout')"
    )
    return list(uow.connection.execute(query).scalars())


@on_postgresql
def test_a_transaction_that_goes_by_indexes_leaves_the_session_as_it_was(upgraded_url: str) -> None:
    names = ("enable_seqscan", "enable_bitmapscan", "enable_sort", "jit", "plan_cache_mode")

    def settings(uow: UnitOfWork) -> list[str]:
        return [str(uow.connection.scalar(text(f"SHOW {name}"))) for name in names]

    def claim(uow: UnitOfWork) -> list[str]:
        LaneRepository(uow).next_due("gateway")
        return settings(uow)

    with closing(Store(upgraded_url, SystemMachineClock(), pool_size=1)) as store:
        before = store.read(settings)
        assert store.read(claim) == [*["off"] * 4, "force_generic_plan"]
        assert store.read(settings) == before == [*["on"] * 4, "auto"]
        raw = store.engine.raw_connection()
        cursor = raw.cursor()
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)
        raw.close()
