"""Idempotency: the key of a request, which answers are stored, what a repeat gets."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select, update

from supplier_api import contract as wire
from supplier_api.db import tables
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import RequestAnswer
from tests.integration.problems.rig import Rig, problem


def messages(answer: RequestAnswer) -> list[str]:
    """Return the messages of a refusal."""
    assert answer.status == 422
    assert answer.body is not None
    return list(answer.body["messages"])


def code(answer: RequestAnswer) -> Any:
    """Return the kind of a refusal."""
    assert answer.status == 422
    assert answer.body is not None
    return answer.body["code"]


def kept(rig: Rig) -> int:
    """Return how many answers are stored."""
    count = select(func.count()).select_from(tables.decision)
    return rig.store.read(lambda uow: uow.connection.execute(count).scalar_one())


def problems(rig: Rig) -> int:
    """Return how many problems there are."""
    return rig.store.read(lambda uow: ProblemRepository(uow).count())


CREATES = [("none", 201), ("commit", 201), ("defer", 202), ("reject", 422)]


@pytest.mark.parametrize(("notes", "status"), CREATES)
def test_a_create_that_is_repeated_gets_its_answer_again(rig: Rig, notes: str, status: int) -> None:
    first = rig.create(notes)
    rig.pass_days(1)

    assert rig.create(notes) == first
    assert first.status == status
    assert problems(rig) == (status != 422)
    assert kept(rig) == 1


@pytest.mark.parametrize("notes", ["none", "defer", "reject"])
def test_an_amendment_that_is_repeated_gets_its_answer_again(rig: Rig, notes: str) -> None:
    rig.create()
    first = rig.amend(notes=notes)

    assert rig.amend(notes=notes) == first
    assert kept(rig) == 2


@pytest.mark.parametrize("text", ["none", "defer", "reject"])
def test_a_cancellation_that_is_repeated_gets_its_answer_again(rig: Rig, text: str) -> None:
    rig.create()
    first = rig.cancel(text=text)

    assert rig.cancel(text=text) == first
    assert kept(rig) == 2


def test_a_refusal_by_the_lifecycle_is_kept_like_one_by_the_rule_book(rig: Rig) -> None:
    rig.create()
    rig.amend(101, notes="defer")
    first = rig.amend(102, notes="Another thing.")
    assert messages(first) == [
        "serviceProblemId: amendment 101 is not decided yet; expected one request at a time"
    ]
    rig.say("accept-change", change_reference=rig.change_reference())

    assert rig.amend(102, notes="Another thing.") == first
    assert rig.amend(103, notes="Another thing.").status == 202


def test_all_reasons_of_the_rule_book_are_told(rig: Rig) -> None:
    rig.create(serviceId="SI0000000000100")

    answer = rig.create("reject", id=2, serviceId="SI0000000000100")

    assert code(answer) == "INVALID_REQUEST"
    assert messages(answer) == [
        "notes: it was asked to be refused",
        "serviceId: already open: 1",
    ]


def test_the_same_id_for_another_request_is_refused_and_changes_nothing(rig: Rig) -> None:
    first = rig.create()

    reused = rig.create(problemText="Something else is wrong.")

    assert code(reused) == "INVALID_REQUEST"
    (message,) = messages(reused)
    assert message.startswith("id: 1 was used for another problem on 2026-01-05T12:00:00.000Z;")
    assert rig.create() == first
    assert problems(rig) == 1


WORKED = {"name": "SERVICE_HAS_WORKED", "value": "true"}
CPE = {"name": "END_USER_CPE", "value": "Zyxel 3213"}


def test_the_same_request_with_its_characteristics_in_another_order_is_a_repeat(rig: Rig) -> None:
    first = rig.create(characteristics=[WORKED, CPE])
    assert rig.create(characteristics=[CPE, WORKED]) == first
    amended = rig.amend(characteristics=[WORKED, CPE])
    assert rig.amend(characteristics=[CPE, WORKED]) == amended

    assert kept(rig) == 2


def test_a_repeat_of_what_an_earlier_release_answered_is_known(rig: Rig) -> None:
    sent: dict[str, Any] = {"characteristics": [WORKED, CPE]}
    first = rig.create(**sent)
    before = wire.fingerprint(problem(1, notes="none", **sent), "1")
    stored = update(tables.decision).values(fingerprint=before)
    rig.store.write(lambda uow: uow.connection.execute(stored))

    assert rig.create(**sent) == first
    assert code(rig.create(characteristics=[CPE])) == "INVALID_REQUEST"


def test_tenants_and_operations_have_ids_of_their_own(rig: Rig) -> None:
    assert rig.create().status == 201
    assert rig.create(tenant="TENANT2").status == 201
    assert rig.amend(1).status == 201
    assert rig.cancel(1).status == 201

    assert rig.problem().reference != rig.problem(tenant="TENANT2").reference
    assert rig.problem(tenant="TENANT2").state.status == "ACKNOWLEDGED"


def test_a_problem_of_another_tenant_is_unknown(rig: Rig) -> None:
    rig.create()
    rig.resolve()
    reference = rig.resolution_reference()

    for answer in (
        rig.amend(tenant="TENANT2"),
        rig.cancel(tenant="TENANT2"),
        rig.intake.settle(rig.caller("TENANT2"), reference, {"status": "ACCEPTED"}),
    ):
        assert code(answer) == "NOT_FOUND"
    assert rig.problem().state.status == "RESOLVED"
    assert kept(rig) == 1


UNKNOWN: list[Callable[[Rig], RequestAnswer]] = [
    lambda rig: rig.amend(serviceProblemId=999, notes="The gate is open."),
    lambda rig: rig.cancel(serviceProblemId=999),
    lambda rig: rig.settle("ACCEPTED", "SP_NOSUCHTHING"),
    lambda rig: rig.settle("ACCEPTED", "no such form"),
]


@pytest.mark.parametrize("ask", UNKNOWN)
def test_what_is_unknown_is_not_found_and_not_kept(
    rig: Rig, ask: Callable[[Rig], RequestAnswer]
) -> None:
    rig.create()

    assert code(ask(rig)) == "NOT_FOUND"
    assert kept(rig) == 1


def test_an_answer_that_is_not_kept_leaves_its_id_free(rig: Rig) -> None:
    rig.create("defer")
    assert code(rig.amend(101, serviceProblemId=2, notes="The gate is open.")) == "NOT_FOUND"

    assert rig.amend(101).status == 201


def test_two_names_of_different_problems_are_not_found(rig: Rig) -> None:
    rig.create()
    rig.create(id=2, serviceId="SI0000000000200")
    other = rig.problem(2).reference

    for answer in (
        rig.amend(supplierServiceProblemReference=other, notes="The gate is open."),
        rig.cancel(supplierServiceProblemReference=other),
    ):
        assert code(answer) == "NOT_FOUND"
    assert (
        rig.amend(supplierServiceProblemReference=rig.problem().reference, notes="x").status == 201
    )


def test_names_are_not_compared_before_the_gateway_had_ours(rig: Rig) -> None:
    rig.create("defer")
    assert rig.amend(101, supplierServiceProblemReference="UNKNOWN", notes="x").status == 201
    rig.say("accept")
    assert rig.amend(102, supplierServiceProblemReference="UNKNOWN", notes="x").status == 202

    rig.take(1)

    answer = rig.amend(103, supplierServiceProblemReference="UNKNOWN", notes="x")
    assert code(answer) == "NOT_FOUND"


def test_a_refusal_or_a_cancellation_as_the_first_kci_does_not_tell_our_reference(
    rig: Rig,
) -> None:
    rig.create("defer")
    rig.say("cancel", problem_code="OTHER")
    rig.take()

    answer = rig.cancel(supplierServiceProblemReference="UNKNOWN")

    assert messages(answer) == [
        "serviceProblemId: no cancellation is possible while the problem is CANCELLED"
    ]


def test_the_word_on_a_resolution_is_given_once(rig: Rig) -> None:
    rig.create()
    rig.resolve()
    first = rig.settle("REJECTED", tenantNotes="It drops again.")
    assert first.status == 200
    rig.pass_days(1)

    assert rig.settle("REJECTED", tenantNotes="It drops again.") == first
    for other in (
        rig.settle("ACCEPTED", tenantNotes="It drops again."),
        rig.settle("REJECTED"),
    ):
        assert code(other) == "INVALID_REQUEST"
        assert messages(other) == ["status: already REJECTED on 2026-01-05T12:00:00.000Z"]
    assert rig.kci_lines()[1:] == ["2 RESUMED/IN_PROGRESS + R REJECTED"]


def test_the_word_on_an_earlier_resolution_says_nothing_about_the_next(rig: Rig) -> None:
    rig.create()
    rig.resolve()
    earlier = rig.resolution_reference()
    first = rig.settle("REJECTED")
    rig.resolve()

    assert rig.settle("REJECTED", earlier) == first
    assert code(rig.settle("ACCEPTED", earlier)) == "INVALID_REQUEST"
    assert rig.problem().state.status == "RESOLVED"
    assert rig.settle("ACCEPTED").status == 200


def test_a_decision_is_kept_with_what_led_to_it(rig: Rig) -> None:
    rig.create("commit")
    query = select(tables.decision)
    row = rig.store.read(lambda uow: uow.connection.execute(query).one())

    assert (row.tenant, row.operation, row.key) == ("TENANT1", "problem", "1")
    assert (row.status, row.outcome, row.rule) == (201, "commit", "committed")
    assert row.reference == rig.problem().reference
    assert row.problem_id == rig.problem().id
    assert row.contract == "1.15"
    assert [rule["rule"] for rule in row.trace][:2] == ["refused", "unknown-service"]
    assert row.trace[0]["values"]["request.notes"] == "[personal]"
