"""`supplier-api privacy`: where somebody's data is, all of it, and its end."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from supplier_api.db import UnitOfWork, tables
from supplier_api.db.operator_actions import ERASED, EXPORTED, Action, OperatorActionRepository
from supplier_api.delivery.model import Meaning, Reply
from supplier_api.operations import privacy_search
from supplier_api.problems.inbox_repository import InboxRepository, InboxState
from supplier_api.problems.snapshot import Snapshot, TicketState, Wanted
from supplier_api.problems.ticket_repository import TicketRepository
from tests.commands import Ran, run_command
from tests.samples import problem_request
from tests.supplier import Problem, Supplier, on_sqlite
from tests.waiting import PATIENCE

NAME = "Zoë Märker"
CONTACT = {"name": NAME, "email": "zoe@example.com", "phoneNumber": "01234 567890"}
REFUSED = Reply(Meaning.REFUSED, "422", 422)


class Command:
    """The command `supplier-api privacy` on the supplier's database."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._environ = {**environ, "SUPPLIER_API_OPERATOR": "dpo"}

    def __call__(self, *words: str) -> Ran:
        return run_command(("privacy", *words), self._environ)

    def ok(self, *words: str) -> str:
        """Run it and return what it prints; it must succeed."""
        ran = self(*words)
        assert ran.exit_code == 0, ran.output
        return ran.stdout

    def refused(self, *words: str) -> str:
        """Run it and return what it refuses with."""
        ran = self(*words)
        assert ran.exit_code == 1, ran.output
        return ran.stderr

    def places(self, *words: str) -> dict[tuple[str | None, str], tuple[int, int]]:
        """Return what `find` finds: rows, and how many are personal, by problem and place."""
        found = json.loads(self.ok("find", *words, "--json"))
        return {(row["reference"], row["name"]): (row["rows"], row["personal"]) for row in found}


@pytest.fixture
def command(environ: dict[str, str]) -> Command:
    return Command(environ)


def raised(supplier: Supplier, **changes: Any) -> Problem:
    """Raise a problem of that person."""
    return supplier.opened(**{"primaryContact": CONTACT, "notes": f"Ask for {NAME}.", **changes})


def over(supplier: Supplier, **changes: Any) -> Problem:
    """Raise a problem of that person and cancel it; everything is delivered, and journalled."""
    problem = raised(supplier, **changes)
    told = {"problemCode": "OTHER", "text": f"{NAME} is well again."}
    assert supplier.event(problem.reference, "cancel", **told).status_code == 200
    supplier.deliver()
    supplier.deliver_orders()
    assert supplier.app.extensions["recorder"].flush(PATIENCE)
    return problem


def webhook(supplier: Supplier, says: str, state: InboxState = InboxState.APPLIED) -> int:
    """Have a webhook come that says something; return its id."""
    now = supplier.machine.now()

    def work(uow: UnitOfWork) -> int:
        inbox = InboxRepository(uow)
        inbox.add("desk", says, {}, says.encode(), now)
        newest = inbox.newest(None, 1)[0]
        if state is not InboxState.QUEUED:
            inbox.settle(newest, state, now)
        return newest.id

    return supplier.services.store.write(work)


def acts(supplier: Supplier, problem: Problem) -> list[Action]:
    """Return what was done about a problem by these commands."""
    problem_id = supplier.stored(problem.id, problem.tenant).id
    done = supplier.services.store.read(lambda uow: OperatorActionRepository(uow).of(problem_id))
    return [each for each in done if each.action in (ERASED, EXPORTED)]


# -- find


def test_all_about_a_problem_is_found_by_any_name(supplier: Supplier, command: Command) -> None:
    problem, other = over(supplier), over(supplier, id=2, serviceId="SI0000000000222")
    webhook(supplier, f'{{"ticket": "{problem.reference}"}}')
    webhook(supplier, f'{{"ticket": "{problem.reference}0"}}')
    found = command.places("--problem", str(problem.id))
    assert found[problem.reference, "service_problem"] == (1, 1)
    assert found[problem.reference, "message"] == (2, 2)
    assert found[problem.reference, "decision"] == (1, 1)
    assert found[problem.reference, "back_office_event"] == (1, 1)
    assert found[problem.reference, "lane"] == (2, 0)
    assert found[None, "inbox"] == (1, 1)
    assert found[None, "journal"] == (2, 2)
    assert {reference for reference, _ in found} == {problem.reference, None}
    assert other.reference not in command.ok("find", "--problem", problem.reference)


def test_all_about_a_line_is_found(supplier: Supplier, command: Command) -> None:
    line = "SI0000000000111"
    mine = [over(supplier, id=each, serviceId=line).reference for each in (1, 2)]
    theirs = over(supplier, tenant="TENANT2", id=3, serviceId=line).reference
    over(supplier, id=4, serviceId="SI0000000000222")
    ceased = problem_request(id=5, serviceId="SI0000000000001")
    assert supplier.create(ceased).status_code == 422
    webhook(supplier, f"line={line}&by=jo")
    webhook(supplier, f"line={line}9")

    found = command.places("--service", line)
    assert {reference for reference, _ in found} == {*mine, theirs, None}
    assert found[None, "inbox"] == (1, 1)
    of_mine = command.places("--service", line, "--tenant", "TENANT1")
    assert {reference for reference, _ in of_mine} == {*mine, None}
    # A request that was refused is of no problem.
    assert command.places("--service", "SI0000000000001")[None, "decision"] == (1, 1)
    assert command.places("--problem", "5")[None, "decision"] == (1, 1)


@pytest.mark.parametrize("words", ["zoë märker", "MÄRKER", "Zoë", 'märker, "01234'])
def test_words_are_found_wherever_they_stand(
    supplier: Supplier, command: Command, words: str
) -> None:
    problem = raised(supplier, notes='"Märker, "01234" again')
    raised(supplier, id=2, serviceId="SI0000000000222", tenant="TENANT2")
    jo = {"notes": "Nobody.", "primaryContact": CONTACT | {"name": "Jo"}}
    raised(supplier, id=3, serviceId="SI0000000000333", **jo)
    webhook(supplier, json.dumps({"who": NAME, "says": '"01234'}))
    webhook(supplier, json.dumps({"who": "Jo"}))

    found = command.places("--text", words, "--tenant", "TENANT1")

    assert found[problem.reference, "service_problem"] == (1, 1)
    assert found[problem.reference, "message"] == (1, 1)
    assert {reference for reference, _ in found} == {problem.reference, None}
    assert found[None, "inbox"] == (1, 1) if "," not in words else (None, "inbox") not in found


@on_sqlite
def test_all_rows_are_read_however_few_at_a_time(
    supplier: Supplier, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    references = {
        over(supplier, id=each, serviceId=f"SI{each:013}").reference for each in range(11, 16)
    }
    for window in (1, 2, 5):
        monkeypatch.setattr(privacy_search, "WINDOW", window)
        found = command.places("--text", NAME)
        assert {each for each, name in found if name == "message"} == references
        assert {found[each, "message"] for each in references} == {(2, 2)}


@on_sqlite
def test_find_prints_nothing_personal(supplier: Supplier, command: Command) -> None:
    problem = raised(supplier)
    said = command.ok("find", "--text", NAME)
    assert f"{problem.reference}  TENANT1  ACKNOWLEDGED  message" in said
    assert "1 row" in said
    for each in NAME.split():
        assert each not in said
    none = command("find", "--text", "Nobodyatall")
    assert (none.exit_code, none.stdout, none.stderr) == (0, "", "nothing is stored of it\n")
    unknown = command.refused("find", "--text", NAME, "--tenant", "TENANT9")
    assert "tenant TENANT9 has no problem" in unknown
    for words in ((), ("--text", " "), ("--text", "x", "--service", "y")):
        assert "expected one of" in command("find", *words).stderr


@on_sqlite
def test_a_dead_letter_and_a_ticket_apart_are_places(supplier: Supplier, command: Command) -> None:
    problem = raised(supplier)
    supplier.answers[1] = REFUSED
    supplier.event(problem.reference, "start")
    supplier.deliver()
    row, now = supplier.stored(problem.id).id, supplier.machine.now()
    said = Snapshot("T-1", 1, "Some", Wanted(TicketState.HELD, text=NAME))
    supplier.services.store.write(
        lambda uow: TicketRepository(uow, "desk").set_apart(said, row, "over", "It is over.", now)
    )
    order = {"reference": problem.reference, "problem_id": row, "kind": "problem", "created": now}
    taken = insert(tables.work_item).values(order)
    supplier.services.store.write(lambda uow: uow.connection.execute(taken))

    found = command.places("--problem", problem.reference)

    assert found[problem.reference, "message, dead letters"] == (1, 1)
    assert found[problem.reference, "ticket_apart"] == (1, 1)
    assert found[problem.reference, "work_item"] == (1, 0)


# -- export


def test_an_export_has_all_that_is_stored(
    supplier: Supplier, command: Command, tmp_path: Path
) -> None:
    problem = over(supplier)
    webhook(supplier, json.dumps({"ticket": problem.reference, "who": NAME}))
    file = tmp_path / "export.json"

    assert str(file) in command.ok("export", problem.reference, "--into", str(file))

    assert file.stat().st_mode & 0o777 == 0o600
    document = json.loads(file.read_text(encoding="utf-8"))
    stored = document["stored"]
    assert document["problem"] == problem.reference
    assert document["personal"]["fields"]["primaryContact"] == "name, email, telephone number"
    columns = document["personal"]["columns"]
    assert columns["message.body"] == "a KCI, a work order"
    assert columns["operator_action.reason"] == "why somebody did something about it"
    assert stored["service_problem"][0]["document"]["primaryContact"] == CONTACT
    assert [each["state"] for each in stored["message"]] == ["delivered"] * 2
    assert any(NAME in str(each["body"].get("text")) for each in stored["message"])
    assert stored["inbox"][0]["body"]["who"] == NAME
    assert stored["decision"][0]["created"].endswith("Z")
    [exported] = acts(supplier, problem)
    assert (exported.who, exported.action) == ("dpo", EXPORTED)
    assert exported.reason == "right of access"
    again = command("export", problem.reference, "--into", str(file))
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    printed = json.loads(command.ok("export", problem.reference, "--reason", "request 17"))
    assert printed["stored"]["service_problem"] == stored["service_problem"]


# -- erase


def test_erasing_leaves_keys_and_is_recorded(supplier: Supplier, command: Command) -> None:
    problem, other = over(supplier), over(supplier, id=2, serviceId="SI0000000000222")
    would = command.ok("erase", problem.reference, "--dry-run")
    assert "would go" in would
    assert NAME in str(supplier.stored(problem.id).document)

    said = command.ok("erase", problem.reference, "--reason", "request 17")

    assert said == would.replace("would go", "erased")
    assert NAME not in said
    for each in NAME.split():
        assert problem.reference not in command.ok("find", "--text", each)
        assert other.reference in command.ok("find", "--text", each)
    left = supplier.stored(problem.id).document
    assert (
        left["serviceSpecification"] == supplier.stored(other.id).document["serviceSpecification"]
    )
    [act] = acts(supplier, problem)
    assert (act.who, act.action, act.reason) == ("dpo", ERASED, "request 17")
    assert act.detail is not None
    assert act.detail["removed"]["service_problem.document"] == 1
    # The key stays: a repeat is known, as after retention.
    body = problem_request(primaryContact=CONTACT, notes=f"Ask for {NAME}.")
    answer = supplier.create(body)
    assert answer.status_code == 422
    assert "already answered on" in answer.get_json()["messages"][0]


def test_a_second_time_says_when_it_was_done(supplier: Supplier, command: Command) -> None:
    problem = over(supplier)
    why = ("--reason", "request 17")
    command.ok("erase", problem.reference, *why)
    [act] = acts(supplier, problem)
    command.ok("export", problem.reference)

    said = command.ok("erase", problem.reference, "--reason", "again")

    done = act.at.strftime("%Y-%m-%dT%H:%M:%S")
    assert f"{problem.reference} holds nothing personal any more: that was done on {done}" in said
    assert [each.action for each in acts(supplier, problem)] == [ERASED, EXPORTED]
    # What came since can be erased again; the first reason stays.
    webhook(supplier, json.dumps({"ticket": problem.reference, "who": NAME}))
    assert "inbox.body" in command.ok("erase", problem.reference, *why)
    assert acts(supplier, problem)[0].reason == "request 17"


def test_what_is_not_over_or_not_delivered_is_refused(supplier: Supplier, command: Command) -> None:
    problem = raised(supplier)
    erase = ("erase", problem.reference, "--reason", "request 17")
    assert (
        f"{problem.reference} is ACKNOWLEDGED: its personal data is erased when it is over; it"
        " waits for the supplier: to start work; what ends it now: cancel\n"
        in command.refused(*erase)
    )
    assert "is ACKNOWLEDGED" in command.refused("erase", problem.reference, "--dry-run")
    supplier.answers[1] = REFUSED
    supplier.event(problem.reference, "cancel", problemCode="OTHER")
    order = f"work order {problem.reference}#1 is queued"
    assert (
        f"not all is delivered: KCI {problem.reference}#1 is queued, {order}; wait, or replay or"
        " skip what was refused" in command.refused(*erase)
    )
    supplier.deliver()
    assert f"KCI {problem.reference}#1 is refused, {order};" in command.refused(*erase)
    supplier.answers.clear()
    assert NAME in str(supplier.stored(problem.id).document)
    assert acts(supplier, problem) == []


@on_sqlite
@pytest.mark.parametrize("state", [InboxState.QUEUED, InboxState.FAILED])
def test_a_webhook_that_waits_is_applied_first(
    supplier: Supplier, command: Command, state: InboxState
) -> None:
    problem = over(supplier)
    number = webhook(supplier, json.dumps({"ticket": problem.reference}), state)
    said = command.refused("erase", problem.reference, "--reason", "request 17")
    assert f"webhook {number} is {state}; replay or skip it first" in said
    assert NAME in str(supplier.stored(problem.id).document)


@on_sqlite
@pytest.mark.parametrize("reason", ["Ms märker rang", "mail of ZOE@example.com", "567890 rang"])
def test_a_reason_that_stays_names_nobody(
    supplier: Supplier, command: Command, reason: str
) -> None:
    problem = over(supplier)
    for words in (("erase",), ("export",)):
        said = command.refused(*words, problem.reference, "--reason", reason)
        assert "the reason names a contact of the problem" in said
    assert NAME in str(supplier.stored(problem.id).document)
    assert acts(supplier, problem) == []


@on_sqlite
def test_who_erases_says_why_and_which(supplier: Supplier, command: Command) -> None:
    problem = over(supplier)
    over(supplier, tenant="TENANT2")
    missing = command("erase", problem.reference)
    assert (missing.exit_code, "--reason" in missing.stderr) == (2, True)
    assert command("erase", problem.reference, "--reason", " ").exit_code == 2
    many = command.refused("erase", str(problem.id), "--reason", "request 17")
    assert f"{problem.id} stands for 2 problems" in many
    assert "there is no problem SP_X" in command.refused("erase", "SP_X", "--reason", "why")


@on_sqlite
def test_pages_as_they_were_are_told_of_while_somebody_reads(
    supplier: Supplier, command: Command
) -> None:
    problem = over(supplier)
    with supplier.services.store.engine.connect() as reader:
        reader.exec_driver_sql("ROLLBACK")
        reader.exec_driver_sql("BEGIN")
        reader.exec_driver_sql("SELECT count(*) FROM message").all()
        said = command.ok("erase", problem.reference, "--reason", "request 17")
    assert "somebody reads them: a worker empties it within the hour" in said
