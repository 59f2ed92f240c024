"""Nothing is lost whatever breaks: processes, connections, answers, the database.

The size is one for every day; `make chaos` runs a large one. A failure names the seed with which
the same things are planned again.
"""

import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests import postgresql
from tests.system import balancer, chaos, hostile_road
from tests.system.callers import Tenant
from tests.system.chaos import Chaos, Size
from tests.system.conftest import Install
from tests.system.installation import Installation, free_port
from tests.system.promises import broken_promises

pytestmark = pytest.mark.slow

PROBLEMS = int(os.environ.get("TEST_CHAOS_PROBLEMS", "80"))
# Of kills, four in each.
ROUNDS = int(os.environ.get("TEST_CHAOS_ROUNDS", str(max(1, PROBLEMS // 150))))
SHOWN = 100  # problems that are looked at through the gateway's own door
# What has to have happened, or the run has shown nothing.
PLANTED = {
    *chaos.ON_THE_WAY,
    hostile_road.KILL,
    balancer.KILL,
    balancer.REPEATED,
    chaos.ANYTIME,
}
HEALED = {chaos.RESTARTED, chaos.FROZEN, chaos.READ_ONLY}
PLANTED_BESIDE_OTHERS = {hostile_road.STOP, chaos.FENCED, *HEALED}


@contextmanager
def seeded() -> Iterator[str]:
    """Yield where chance comes from; a failure names the seed with which to try again."""
    seed = os.environ.get("TEST_SEED") or str(random.randrange(10**6))
    try:
        yield seed
    except BaseException as error:
        error.add_note(f"again with TEST_SEED={seed} TEST_CHAOS_PROBLEMS={PROBLEMS}")
        raise


def test_nothing_is_lost_on_many_machines(
    install: Install, own_postgresql: postgresql.Server
) -> None:
    with (
        postgresql.database(own_postgresql.url, chaos.DATABASE) as url,
        seeded() as seed,
        closing(Chaos(Size(PROBLEMS, ROUNDS, webs=2, workers=4), seed)) as run,
    ):
        installation = install(**run.settings, DATABASE__URL=url)
        installation.give("serve-2", SERVER__PORT=free_port())
        run.run(installation, own_postgresql)
        _assert_kept(run, installation, PLANTED | PLANTED_BESIDE_OTHERS)
        assert run.healed.keys() == HEALED
        installation.close()


def test_nothing_is_lost_on_one_machine(install: Install) -> None:
    with (
        seeded() as seed,
        closing(Chaos(Size(max(PROBLEMS // 2, 50), ROUNDS, webs=1, workers=1), seed)) as run,
    ):
        installation = install(**run.settings)
        run.run(installation, None)
        _assert_kept(run, installation, PLANTED)


def _assert_kept(run: Chaos, installation: Installation, planted: set[str]) -> None:
    answers, stored = run.promised()
    counts, arrivals = run.record.counts, run.record.arrivals
    _report(run)
    assert broken_promises(answers, stored, arrivals) == []
    assert {state for each in run.stored() for state in each.states} == {"delivered"}
    assert planted - counts.keys() == set()
    assert counts[hostile_road.FOLLOWED] == 0
    _assert_struck(run)
    _assert_shown(run, installation)
    everything = [*run.webs, *run.workers, "sandbox"]
    assert installation.stop(*everything) == [0] * len(everything)


def _report(run: Chaos) -> None:
    """Say what the run was; seen with -s, and where it fails."""
    kcis, came = run.record.taken(), len(run.record.arrivals)
    figures = {
        "seconds": round(time.monotonic() - run.began),
        "problems": len(run.stored()),
        "2xx": len(run.record.answers),
        "KCIs": kcis,
        "attempts beyond the first": came - kcis,
        **dict(sorted(run.record.counts.items())),
        **{f"seconds until all was well: {what}": round(took) for what, took in run.healed.items()},
    }
    sys.stdout.write(
        "\n" + "\n".join(f"{count:7} {what}" for what, count in figures.items()) + "\n"
    )


def _assert_struck(run: Chaos) -> None:
    """Find that what was under way in a process that was struck came again, or stayed."""
    for kci, before in run.road.struck.items():
        assert run.record.came(kci) > before
    stored = {each.gateway_id for each in run.stored()}
    assert stored >= set(run.balancer.struck)


def _assert_shown(run: Chaos, installation: Installation) -> None:
    """Find each update once and in order where the tenant looks."""
    tenant = Tenant(installation)
    for problem in run.stored()[:SHOWN]:
        updates = tenant.problem(problem.gateway_id)["updates"]
        numbers = [each["sequenceNumber"] for each in updates if "sequenceNumber" in each]
        assert numbers == list(range(1, len(problem.kcis) + 1))
