"""Personal data and free text get into no log, trace or command's output."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from supplier_api.app.services import ClockPair
from supplier_api.cli import main
from supplier_api.clock import ManualBusinessClock, ManualMachineClock
from supplier_api.db import UnitOfWork, tables
from supplier_api.settings import Settings
from tests.integration.delivery.sink import Sink, serving
from tests.integration.journey import MARKER, Journey
from tests.logs import Lines, logging_to
from tests.supplier import Supplier

# Rules that look at all of it, so that the traces have something to hide.
NOSY = """
  - id: nosy-about-requests
    description: Reads what is personal.
    applies_to: [problem, amendment]
    when: |
      has(request.problemText) && has(request.primaryContact) && has(request.secondaryContact)
        && has(request.hazards) && has(request.onSiteRestrictions) && has(request.notes)
        && has(request.characteristics)
        && request.problemText + request.primaryContact.name + request.secondaryContact.email
        + request.hazards + request.onSiteRestrictions + request.notes == "nobody"
        || request.characteristics.exists(each, each.value == "nothing")
    then: defer

  - id: nosy-about-cancellations
    description: Reads what is personal.
    applies_to: [cancellation]
    when: has(request.text) && request.text == "nothing"
    then: defer
"""


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """Log all that can be logged."""
    with logging_to(capsys, "debug") as lines:
        yield lines


@pytest.fixture
def gateway() -> Iterator[Sink]:
    """Yield a gateway whose answers repeat what it was sent."""
    with serving() as sink:
        yield sink


@pytest.fixture
def environ(environ: dict[str, str], gateway: Sink) -> dict[str, str]:
    """Let the supplier send to that gateway, and decide by the nosy rules as well."""
    book = Path(environ["SUPPLIER_API_CONFIG_DIR"]) / "rules.yaml"
    book.write_text(book.read_text(encoding="utf-8") + NOSY, encoding="utf-8")
    return {
        **environ,
        "SUPPLIER_API__GATEWAY__KCI_URL": f"{gateway.url}/kcis",
        "SUPPLIER_API__GATEWAY__TOKEN_URL": f"{gateway.url}/auth/supplier/access-token",
    }


def outputs(
    environ: Mapping[str, str], journey: Journey, folder: Path
) -> Iterator[tuple[str, str]]:
    """Yield what each command prints, on either stream, with its name."""
    file = folder / "request.json"
    problem = journey.problems[-1]
    requests = {
        "problem": journey.request(),
        "amendment": journey.amendment(problem),
        "cancellation": journey.cancellation(problem),
    }

    def run(*words: str) -> tuple[str, str]:
        done = CliRunner().invoke(main, words, env=environ, prog_name="supplier-api")
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return " ".join(words), done.output

    yield run("config", "show")
    yield run("problem", "list")
    yield run("problem", "list", "--json")
    for each in journey.problems:
        yield run("problem", "show", each.reference)
        yield run("problem", "show", each.reference, "--json")
    yield run("problem", "show", "conversation-1")
    for operation, request in requests.items():
        explain = ("rules", "explain", str(file), "--operation", operation)
        file.write_text(json.dumps(request), encoding="utf-8")
        yield run(*explain)
        yield run(*explain, "--json")
        file.write_text(json.dumps({**request, "id": MARKER, "notes": 1}), encoding="utf-8")
        yield run(*explain)
        file.write_text(json.dumps(request) + MARKER, encoding="utf-8")
        yield run(*explain)
    said = ("--text", f"{MARKER} was out", "--note", MARKER)
    for event in ("complete", "hold", "note"):
        # The words of the command are the user's own; its output is not.
        yield event, run("problem", "event", problem.reference, event, *said)[1]
    yield "too long", run("problem", "event", problem.reference, "note", "--text", MARKER * 101)[1]


def stored(supplier: Supplier) -> Iterator[tuple[str, str]]:
    """Yield what is kept of the decisions and attempts, with its name."""

    def look(uow: UnitOfWork) -> list[tuple[str, str]]:
        of = tables.decision.c
        decisions = uow.connection.execute(select(of.id, of.trace, of.facts, of.reasons))
        messages = uow.connection.execute(select(tables.message.c.id, tables.message.c.log))
        return [
            *((f"decision {row.id}", json.dumps(list(row)[1:])) for row in decisions),
            *((f"attempts of message {row.id}", json.dumps(row.log)) for row in messages),
        ]

    yield from supplier.services.store.read(look)


def test_nothing_personal_is_told_to_those_it_is_not_for(
    supplier: Supplier,
    settings: Settings,
    environ: dict[str, str],
    gateway: Sink,
    clocks: tuple[ManualMachineClock, ManualBusinessClock, ClockPair],
    logged: Lines,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    journey = Journey(supplier, monkeypatch)
    journey.requests()
    journey.unreadable()
    journey.changes()
    journey.events()
    journey.failures()
    journey.deliveries(settings, clocks[2], gateway)

    lines = logged()
    kept = list(stored(supplier))
    printed = list(outputs(environ, journey, tmp_path))
    told = [*((line["event"], json.dumps(line)) for line in lines), *kept, *printed]
    assert [name for name, words in told if MARKER.lower() in words.lower()] == []

    # The marker did go along: it is where it must be, and every path left something to look at.
    assert all(
        MARKER in json.dumps(supplier.stored(each.id, each.tenant).document)
        for each in journey.problems
    )
    assert "[personal]" in json.dumps(kept)
    assert {line["event"] for line in lines} >= {
        "answered",
        "supplier fault",
        "message.refused",
        "message.later",
        "timer.failed",
        "work-order.failed",
    }
    attempts = [words for name, words in kept if name.startswith("attempts") and "later" in words]
    assert attempts
    assert any("hold" in words for _, words in printed)
