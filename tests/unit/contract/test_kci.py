from typing import Any

import pytest

from supplier_api.contract import Invalid, Malformed, load_kci
from supplier_api.contract.codes import REASONS, ReasonCode, Status
from supplier_api.contract.kci import KCI
from tests.samples import kci, published_problem, resolution

CODE = {"problemCode": "NETWORK_ISSUE"}
TEXT = {"text": "Resolving network issue"}
RESOLUTION = {"serviceProblemResolution": resolution(status="PENDING")}


def amendment(status: str) -> dict[str, Any]:
    outcome = {"id": 5, "status": status, "serviceProblemId": 23467, "notes": "n"}
    return {"serviceProblemAmendment": outcome}


def cancellation(status: str) -> dict[str, Any]:
    outcome = {"id": 5, "status": status, "serviceProblemId": 23467, "reasonCode": "OTHER"}
    return {"serviceProblemCancellation": outcome}


COMPLETE = [
    ("CREATED", "ACKNOWLEDGED", {}),
    ("ACKNOWLEDGED", "ACKNOWLEDGED", {}),
    ("COMMITTED", "IN_PROGRESS", {}),
    ("UPDATE", "IN_PROGRESS", {}),
    ("ADDITIONAL", "RESOLVED", TEXT),
    ("WARNING", "IN_PROGRESS", CODE),
    ("DELAY", "HELD", CODE),
    ("RESUMED", "IN_PROGRESS", {}),
    ("INFORMATION_REQUIRED", "PENDING", TEXT | CODE),
    ("REAPPOINT", "PENDING", CODE),
    ("REAPPOINTED", "ACKNOWLEDGED", {}),
    ("AMENDED", "IN_PROGRESS", amendment("COMPLETED")),
    ("AMENDMENT_REJECTED", "HELD", TEXT | CODE | amendment("REJECTED")),
    ("CANCELLED", "CANCELLED", CODE),
    ("CANCELLATION_REJECTED", "IN_PROGRESS", TEXT | CODE | cancellation("REJECTED")),
    ("COMPLETED", "COMPLETED", {}),
    ("REJECTED", "REJECTED", TEXT | CODE),
    ("RESOLVED", "RESOLVED", RESOLUTION),
]


def refusals(document: object) -> list[str]:
    with pytest.raises(Invalid) as caught:
        load_kci(document)
    return caught.value.messages


def test_the_table_of_these_tests_knows_every_reason() -> None:
    assert {reason for reason, _, _ in COMPLETE} == set(ReasonCode)


def test_each_reason_is_described_and_carries_fields_of_a_kci() -> None:
    assert list(REASONS) == list(ReasonCode)
    for reason, means in REASONS.items():
        assert set(means.carries) <= set(KCI.fields), reason


@pytest.mark.parametrize(("reason", "status", "carried"), COMPLETE)
def test_a_kci_that_carries_what_it_must_is_taken(
    reason: str, status: str, carried: dict[str, Any]
) -> None:
    document = kci(reason, status, **carried)
    assert load_kci(document) == document


@pytest.mark.parametrize(("reason", "status", "carried"), COMPLETE)
def test_each_thing_that_must_be_carried_is_missed(
    reason: str, status: str, carried: dict[str, Any]
) -> None:
    for name in carried:
        document = kci(reason, status, **carried)
        del document[name]
        assert f"{name}: missing, a KCI {reason} must carry it" in refusals(document)


def test_everything_a_kci_may_have_is_kept() -> None:
    note = {"note": "Seen", "type": "Engineer Note", "created": "2022-01-01T09:09:33.001Z"}
    document = kci("UPDATE", "PENDING", supplierCodes=["313"], supplierNotes=[note], **TEXT)
    assert load_kci(document) == document
    assert load_kci({**document, "supplierCode": "313"})["supplierCode"] == "313"


def test_the_acknowledgement_tells_our_reference() -> None:
    document = kci("ACKNOWLEDGED", "ACKNOWLEDGED")
    del document["serviceProblem"]["supplierReference"]
    assert refusals(document) == [
        "serviceProblem.supplierReference: missing, a KCI ACKNOWLEDGED must carry it"
    ]


@pytest.mark.parametrize(
    ("reason", "status", "carried"),
    [row for row in COMPLETE if row[0] in ("ACKNOWLEDGED", "COMMITTED")],
)
def test_an_undecided_change_may_hide_the_status(
    reason: str, status: str, carried: dict[str, Any]
) -> None:
    for hiding in (Status.PENDING_AMENDMENT, Status.PENDING_CANCELLATION):
        assert load_kci(kci(reason, hiding.value, **carried))
    assert refusals(kci(reason, "HELD", **carried)) == [
        f"serviceProblem.status: expected {status} in a KCI {reason}"
    ]


@pytest.mark.parametrize(
    ("reason", "status", "carried"),
    [row for row in COMPLETE if row[0] in ("CANCELLED", "COMPLETED", "REJECTED", "RESOLVED")],
)
def test_an_end_is_never_hidden(reason: str, status: str, carried: dict[str, Any]) -> None:
    for other in ("IN_PROGRESS", "PENDING_AMENDMENT"):
        assert refusals(kci(reason, other, **carried)) == [
            f"serviceProblem.status: expected {status} in a KCI {reason}"
        ]


def test_the_outcome_of_a_change_fits_the_reason() -> None:
    document = kci("AMENDED", "IN_PROGRESS", **amendment("PENDING"))
    assert refusals(document) == [
        "serviceProblemAmendment.status: expected COMPLETED in a KCI AMENDED"
    ]
    document = kci("CANCELLED", "CANCELLED", **CODE, **cancellation("REJECTED"))
    assert refusals(document) == [
        "serviceProblemCancellation.status: expected COMPLETED in a KCI CANCELLED"
    ]


def test_a_change_belongs_to_the_problem_it_stands_beside() -> None:
    document = kci("AMENDED", "IN_PROGRESS", **amendment("COMPLETED"))
    document["serviceProblemAmendment"]["serviceProblemId"] = 1
    assert refusals(document) == [
        "serviceProblemAmendment.serviceProblemId: expected the id of serviceProblem"
    ]


@pytest.mark.parametrize(
    "name", ["id", "sequenceNumber", "issuedOn", "reasonCode", "serviceProblem"]
)
def test_the_envelope_is_complete(name: str) -> None:
    document = kci("UPDATE", "IN_PROGRESS")
    del document[name]
    with pytest.raises(Malformed) as caught:
        load_kci(document)
    assert caught.value.messages == [f"{name}: missing"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("id", "3456cf7d", "id: expected a UUID"),
        ("id", "{3456cf7d-4471-42e4-a5be-c24ed58a7aa6}", "id: expected a UUID"),
        (
            "sequenceNumber",
            0,
            "sequenceNumber: expected a whole number from 1 to 9223372036854775807",
        ),
        ("supplierCodes", [""], "supplierCodes[0]: expected 1 to 50 characters"),
        (
            "serviceProblem",
            {"status": "open", **published_problem()},
            "serviceProblem.status: expected one of",
        ),
        ("reasonCode", "update", "reasonCode: expected one of CREATED, ACKNOWLEDGED"),
    ],
)
def test_its_values_are_within_their_constraints(name: str, value: object, message: str) -> None:
    [found] = refusals(kci("UPDATE", "IN_PROGRESS") | {name: value})
    assert found.startswith(message)
