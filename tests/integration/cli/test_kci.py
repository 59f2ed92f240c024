"""`supplier-api kci` and `work-order`: dead letters looked at and mended, by real commands."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.delivery.model import Meaning, Reply
from supplier_api.problems.model import ServiceProblem
from tests.commands import Command
from tests.supplier import Problem, Supplier, on_sqlite

PERSON = "Mrs MARKER is not in"
SAID = {"status": 422, "code": "INVALID_REQUEST", "uuid": "u-1", "messages": [PERSON]}
REFUSED = Reply(Meaning.REFUSED, "422 INVALID_REQUEST", 422, refusal=SAID)
WHY = ("--reason", "not for the tenant")


@pytest.fixture
def behind() -> timedelta:
    return timedelta(hours=2)


@pytest.fixture
def command(environ: dict[str, str]) -> Command:
    return Command(environ, by="ann")


def names(command: Command, *words: str) -> list[str]:
    """Return the names that a list prints, which the same as JSON has too."""
    lines = command.ok(*words).splitlines()
    rows = json.loads(command.ok(*words, "--json"))
    assert [line.split()[0] for line in lines] == [row["name"] for row in rows]
    return [row["name"] for row in rows]


@pytest.fixture
def problem(supplier: Supplier) -> Problem:
    """Return a problem of which number 2 (DELAY) was refused; number 3 is parked behind it."""
    problem = supplier.opened()
    supplier.event(problem.reference, "start")
    supplier.deliver()
    supplier.event(problem.reference, "hold", problemCode="ACCESS_ISSUE", text=PERSON)
    supplier.answers[2] = REFUSED
    supplier.deliver()
    supplier.machine.advance(3600)
    supplier.event(problem.reference, "resume")
    supplier.answers.clear()
    return problem


def named(problem: Problem, number: int) -> str:
    return f"{problem.reference}#{number}"


def actions(supplier: Supplier, problem: Problem) -> list[Action]:
    problem_id = supplier.stored(problem.id).id
    return supplier.services.store.read(lambda uow: OperatorActionRepository(uow).of(problem_id))


# -- list


def test_dead_letters_are_listed_with_what_is_parked_behind_them(
    supplier: Supplier, command: Command, problem: Problem
) -> None:
    other = supplier.opened(id=7, serviceId="SI0000000000099", tenant="TENANT2")
    supplier.event(other.reference, "start")
    assert names(command, "kci", "list") == [named(problem, 2), named(problem, 3)]
    for options, numbers in {
        ("--state", "refused"): [2],
        ("--state", "dead"): [2],
        ("--state", "parked"): [3],
        ("--state", "expired"): [],
        ("--state", "delivered"): [1],
        ("--reason-code", "RESUMED"): [3],
        ("--tenant", "TENANT2"): [],
        ("--problem", "SI2345432345345"): [2, 3],
        ("--problem", other.reference): [],
        ("--since", "90m"): [3],
        ("--until", "90m"): [2],
    }.items():
        assert names(command, "kci", "list", *options) == [
            named(problem, number) for number in numbers
        ]
    queued = [named(problem, 3), named(other, 1)]
    assert names(command, "kci", "list", "--state", "queued") == queued
    first = command("kci", "list", "--limit", "1")
    assert first.stdout.split()[0] == named(problem, 2)
    assert first.stderr == "there are more than 1; --limit shows more\n"
    assert "there is no problem SP_NONE01" in command.refused(
        "kci", "list", "--problem", "SP_NONE01"
    )

    row, parked = json.loads(command.ok("kci", "list", "--json"))
    assert (row["kind"], row["state"], row["parked"], row["answer"]) == (
        "DELAY",
        "refused",
        False,
        "422 INVALID_REQUEST",
    )
    assert (parked["state"], parked["parked"], parked["answer"]) == ("queued", True, None)


def test_what_the_gateway_said_stands_only_where_the_body_does(
    command: Command, problem: Problem
) -> None:
    for words in (("kci", "list"), ("problem", "show", problem.reference)):
        assert "MARKER" not in command.ok(*words)
        assert "MARKER" not in command.ok(*words, "--json")
    shown = command.ok("kci", "show", named(problem, 2))
    for line in (
        f"{named(problem, 2)}  DELAY  refused",
        "  code          INVALID_REQUEST",
        f"  messages      {PERSON}",
        f'    "text": "{PERSON}",',
        "possible  show, replay, edit, skip",
    ):
        assert line in shown.splitlines()
    by_id = json.loads(command.ok("kci", "show", named(problem, 2), "--json"))
    assert json.loads(command.ok("kci", "show", by_id["id"].upper(), "--json")) == by_id
    assert by_id["refusal"] == SAID
    assert [entry["outcome"] for entry in by_id["log"]] == ["refused"]
    assert by_id["possible"] == ["replay", "edit", "skip"]
    parked = command.ok("kci", "show", named(problem, 3))
    assert parked.startswith(f"{named(problem, 3)}  RESUMED  queued, parked\n")


@on_sqlite
def test_no_message_is_told_in_a_sentence_and_is_no_row(
    supplier: Supplier, command: Command
) -> None:
    assert supplier.problems() == 0
    for words, told in (
        (("kci", "list"), "no KCI is a dead letter or parked; --state shows others"),
        (("work-order", "list"), "no work order is a dead letter or parked; --state shows others"),
        (("kci", "list", "--state", "queued"), "no KCI fits these options"),
        (("kci", "list", "--reason-code", "DELAY"), "no KCI fits these options"),
    ):
        result = command(*words)
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"{told}\n")
    assert command.ok("kci", "list", "--json") == "[]\n"


@on_sqlite
@pytest.mark.usefixtures("problem")
def test_columns_are_as_wide_as_what_stands_in_them(supplier: Supplier, command: Command) -> None:
    other = supplier.opened(id=7, serviceId="SI0000000000099", tenant="A_TENANT_OF_A_LONG_NAME")
    supplier.event(other.reference, "start")
    for words in (("kci", "list", "--state", "queued"), ("problem", "list")):
        lines = command.ok(*words).splitlines()
        assert len(lines) == 2
        assert len({line.rindex("  20") for line in lines}) == 1, lines


def test_a_5xx_is_not_told_as_silence_and_all_times_are_written_alike(
    supplier: Supplier, command: Command
) -> None:
    problem = supplier.opened()
    supplier.event(problem.reference, "start")
    supplier.answers[1] = Reply(Meaning.FAILED, "503", 503, unknown=True)
    supplier.deliver()
    shown = command.ok("kci", "show", named(problem, 1))
    assert "the receiver may have it: an attempt ended without an answer, or with a 5xx" in shown
    assert "+00:00" not in shown
    assert "+00:00" not in command.ok("problem", "show", problem.reference)


@on_sqlite
@pytest.mark.usefixtures("supplier")
@pytest.mark.parametrize("words", [["kci", "list"], ["problem", "list"]])
def test_what_is_no_number_is_refused_in_words(command: Command, words: list[str]) -> None:
    for wrong in ("abc", "0", "1.5"):
        result = command(*words, "--limit", wrong)
        assert result.exit_code == 2
        assert f"'--limit': expected a whole number from 1 to 1000000, not {wrong}" in result.stderr
    result = command("doctor", "--seconds", "soon")
    assert "'--seconds': expected seconds, as in 20 or 0.5, not soon" in result.stderr


# -- what is done


def test_a_dead_letter_is_replayed(supplier: Supplier, command: Command, problem: Problem) -> None:
    told = command.ok("kci", "replay", named(problem, 2), *WHY)
    assert told == f"{named(problem, 2)}  refused -> queued again, due now\n"
    [action] = actions(supplier, problem)
    assert (action.who, action.reason) == ("ann", "not for the tenant")
    supplier.machine.advance(7200)  # what the command wrote is due by the host's time
    supplier.deliver()
    assert names(command, "kci", "list", "--state", "delivered") == [
        named(problem, number) for number in (1, 2, 3)
    ]
    assert "is delivered (on " in command.refused("kci", "replay", named(problem, 2), *WHY)


def test_a_body_is_edited_from_the_command_line_or_a_file(
    supplier: Supplier, command: Command, problem: Problem, tmp_path: Path
) -> None:
    name = named(problem, 2)
    said = command.refused("kci", "edit", name, "--set", "text=", *WHY)
    assert "that is no update that may be sent:" in said
    assert "text: expected 1 to 1000 characters" in said
    told = command.ok("kci", "edit", name, "--set", "text=No entry.", *WHY)
    assert told == f"{name}  refused -> queued again (edited), due now\n"
    seen = json.loads(command.ok("kci", "show", name, "--json"))
    assert (seen["body"]["text"], seen["original"]["text"]) == ("No entry.", PERSON)
    assert seen["mended"] == "edited"
    assert [entry["action"] for entry in seen["actions"]] == ["kci edit"]

    file = tmp_path / "body.json"
    file.write_text(json.dumps({**seen["body"], "text": "Nobody in."}), encoding="utf-8")
    command.ok("kci", "edit", name, "--file", file, *WHY)
    file.write_text("[]", encoding="utf-8")
    assert "body: expected an object" in command.refused("kci", "edit", name, "--file", file, *WHY)
    shown = command.ok("kci", "show", name)
    assert '    "text": "Nobody in.",' in shown.splitlines()
    assert "body at first" in shown.splitlines()
    assert len(actions(supplier, problem)) == 2


def test_an_edit_that_cannot_stand_where_it_does_is_refused(
    supplier: Supplier, command: Command, problem: Problem
) -> None:
    supplier.event(problem.reference, "warn", problemCode="ACCESS_ISSUE")
    supplier.event(problem.reference, "resolve", resolution={"resolutionCode": "OTHER"})
    status = ("--set", "serviceProblem.status=COMPLETED")

    told = command.refused("kci", "edit", named(problem, 2), *status, *WHY)

    assert "serviceProblem.status: COMPLETED only from RESOLVED" in told
    assert "update 4 would be refused" in told
    assert actions(supplier, problem) == []


def test_a_kci_is_skipped(supplier: Supplier, command: Command, problem: Problem) -> None:
    told = command.ok("kci", "skip", named(problem, 2), *WHY)
    assert told == f"{named(problem, 2)}  refused -> queued again (withdrawn), due now\n"
    assert supplier.kcis(problem)[1]["text"] == "update 2 was withdrawn: not for the tenant"
    assert "DELAY" not in command.ok("problem", "show", problem.reference)
    assert "KCI 2 ADDITIONAL IN_PROGRESS  queued (withdrawn)" in command.ok(
        "problem", "show", problem.reference
    )


def test_a_window_is_replayed(supplier: Supplier, command: Command, problem: Problem) -> None:
    window = ("--since", "3h", "--until", "1m")
    both = (
        f"{named(problem, 2)}  refused -> queued again, due now\n"
        f"{named(problem, 3)}  queued -> queued, due now\n"
    )
    # A rehearsal needs no reason.
    for why in ((), WHY):
        told = command.ok("kci", "replay", *window, "--dry-run", *why)
        assert told == f"{both}2 to be replayed\n"
    assert actions(supplier, problem) == []
    half = command("kci", "replay", "--since", "90m", *WHY)
    waits = f"queued, waits behind {named(problem, 2)}, which is refused"
    left = f"{named(problem, 3)}  queued: {waits}\n0 replayed, 1 left as they were\n"
    assert (half.exit_code, half.stdout) == (1, left)
    assert command.ok("kci", "replay", *window, *WHY) == f"{both}2 replayed\n"
    assert command.ok("kci", "replay", "--until", "3h", *WHY) == "0 replayed\n"


@on_sqlite
@pytest.mark.usefixtures("supplier")
@pytest.mark.parametrize(
    "words",
    [
        ["kci", "replay", "SP_NONE01#1"],
        ["kci", "replay", "SP_NONE01#1", "--reason", " "],
        ["kci", "replay", *WHY],
        ["kci", "replay", "SP_NONE01#1", "--since", "1h", *WHY],
        ["kci", "replay", "SP_NONE01#1", "--dry-run", *WHY],
        ["kci", "replay", "--since", "soon", *WHY],
        ["kci", "replay", "--since", "1h"],
        ["kci", "replay", "--since", "1h", "--until", "2h", *WHY],
        ["kci", "list", "--since", "1h", "--until", "2h"],
        ["kci", "list", "--state", "lost"],
        ["kci", "edit", "SP_NONE01#1", *WHY],
        ["kci", "edit", "SP_NONE01#1", "--file", "nowhere.json", *WHY],
        ["kci", "edit", "SP_NONE01#1", "--set", "text", *WHY],
        ["kci", "skip", *WHY],
        ["work-order", "edit", "SP_NONE01#1", *WHY],
        ["work-order", "list", "--kind", "DELAY"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_told_and_exits_with_2(command: Command, words: list[str]) -> None:
    result = command(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage: " in result.stderr


# -- work orders


def test_a_work_order_is_skipped_and_replayed(
    supplier: Supplier, command: Command, problem: Problem
) -> None:
    def stored() -> ServiceProblem:
        return supplier.stored(problem.id)

    name = named(problem, 1)
    assert names(command, "work-order", "list") == []
    assert names(command, "work-order", "list", "--state", "queued", "--kind", "problem") == [name]
    seen: dict[str, Any] = json.loads(command.ok("work-order", "show", name, "--json"))
    assert (seen["kind"], seen["body"]["reference"]) == ("problem", problem.reference)
    assert "is a work order" not in command.refused("kci", "show", seen["id"])
    assert "`supplier-api work-order show`" in command.refused("kci", "show", seen["id"])

    marked = "is not sent; the problem is marked: back office not told"
    assert command.ok("work-order", "skip", name, *WHY) == f"{name}  queued -> {marked}\n"
    assert stored().back_office_untold
    shown = command.ok("problem", "show", problem.reference)
    assert "  back office   not told: a work order was skipped" in shown.splitlines()
    assert json.loads(command.ok("problem", "show", name.split("#")[0], "--json"))[
        "backOfficeUntold"
    ]
    assert "possible  show, replay" in command.ok("work-order", "show", name).splitlines()
    told = command.ok("work-order", "replay", name, *WHY)
    assert told == f"{name}  skipped -> queued again, due now\n"
    assert [action.action for action in actions(supplier, problem)] == [
        "work-order skip",
        "work-order replay",
    ]


@on_sqlite
@pytest.mark.parametrize("list_of", ["kci", "work-order", "problem"])
def test_a_tenant_without_a_problem_is_told(
    command: Command, problem: Problem, list_of: str
) -> None:
    assert problem.tenant == "TENANT1"
    told = command.refused(list_of, "list", "--tenant", "TENANT_1")
    assert "tenant TENANT_1 has no problem; these have:\n  TENANT1" in told
    command.ok("kci", "list", "--tenant", "TENANT1", "--state", "skipped")
