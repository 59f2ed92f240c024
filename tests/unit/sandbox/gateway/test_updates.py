"""What a KCI becomes for the tenant."""

from typing import Any

import pytest

from supplier_api.contract.codes import ReasonCode, ResolutionCode
from supplier_api.sandbox.gateway import updates
from supplier_api.sandbox.gateway.model import StoredResolution

ACTIONS = {
    "INFORMATION_REQUIRED": "INFORMATION_REQUIRED",
    "REAPPOINT": "REAPPOINT",
    "AMENDMENT_REJECTED": "RESUBMIT",
    "CANCELLATION_REJECTED": "RESUBMIT",
    "RESOLVED": "CONFIRM",
}


def kci(reason: str, **more: Any) -> dict[str, Any]:
    return {
        "sequenceNumber": 3,
        "issuedOn": "2026-01-05T12:00:00.000Z",
        "reasonCode": reason,
        **more,
    }


@pytest.mark.parametrize(("reason", "action"), ACTIONS.items())
def test_what_the_tenant_has_to_act_on(reason: str, action: str) -> None:
    update = updates.of_kci(kci(reason, problemCode="OTHER", text="why", supplierCodes=["313"]))

    assert update == {
        "sequenceNumber": 3,
        "issuedOn": "2026-01-05T12:00:00.000Z",
        "updateType": "ACTION_REQUIRED",
        "action": {
            "type": action,
            "code": "OTHER",
            "text": "why",
            "supplierCodes": ["313"],
            "supplierCode": "313",
        },
    }


@pytest.mark.parametrize("reason", sorted(set(ReasonCode) - set(ACTIONS)))
def test_all_else_informs_under_its_own_name(reason: ReasonCode) -> None:
    update = updates.of_kci(kci(reason))

    assert update["updateType"] == "INFORMATIONAL"
    expected = "TERMINATED" if reason == ReasonCode.REJECTED else reason
    assert update["information"] == {"type": expected}


def test_notes_of_the_supplier_are_shown() -> None:
    note = {"note": "Engineer on site", "created": "2026-01-05T12:00:00.000Z"}
    assert updates.of_kci(kci("UPDATE", supplierNotes=[note]))["supplierNotes"] == [note]


@pytest.mark.parametrize(
    ("sent", "codes", "code"),
    [
        ({"supplierCode": "313"}, ["313"], "313"),
        ({"supplierCodes": ["R9", "313"]}, ["R9", "313"], "R9"),
        ({"supplierCodes": ["R9"], "supplierCode": "313"}, ["R9"], "313"),
    ],
)
def test_the_deprecated_single_code_is_shown_beside_the_list(
    sent: dict[str, Any], codes: list[str], code: str
) -> None:
    update = updates.of_kci(kci("UPDATE", **sent))
    assert update["information"] == {
        "type": "UPDATE",
        "supplierCodes": codes,
        "supplierCode": code,
    }


def test_an_amendment_stands_in_the_update_that_closes_it_without_what_is_the_suppliers() -> None:
    amendment = {
        "id": 7,
        "supplierReference": "SP_AMEND1",
        "status": "COMPLETED",
        "serviceProblemId": 1,
        "notes": "Ring twice",
        "appointmentReservationReference": "A234X",
    }
    update = updates.of_kci(kci("AMENDED", serviceProblemAmendment=amendment))

    assert update["serviceProblemAmendment"] == {
        "id": 7,
        "status": "COMPLETED",
        "serviceProblemId": 1,
        "notes": "Ring twice",
    }


def test_a_cancellation_that_is_undecided_is_not_shown() -> None:
    cancellation = {
        "id": 7,
        "status": "PENDING",
        "serviceProblemId": 1,
        "reasonCode": "OTHER",
    }
    update = updates.of_kci(kci("UPDATE", serviceProblemCancellation=cancellation))

    assert "serviceProblemCancellation" not in update


@pytest.mark.parametrize("code", ResolutionCode)
def test_every_resolution_code_has_a_category(code: ResolutionCode) -> None:
    said = {
        "supplierReference": "SP_RES01",
        "status": "ACCEPTED",
        "resolvedDate": "2026-01-05T12:00:00.000Z",
        "closedDate": "2026-01-06T12:00:00.000Z",
        "resolutionDetails": {"resolutionCode": code, "faultCode": ["DAMAGED_ONT"]},
        "slaViolation": ["EXCEEDED_SLA_TIME_TO_REPAIR"],
    }
    view = updates.answered_view(
        StoredResolution(id=5, problem_id=1, reference="SP_RES01", document=said), {}
    )

    category = view["resolutionDetails"].pop("resolutionCategory")
    assert category
    assert view == {
        "id": 5,
        "serviceProblemId": 1,
        "status": "ACCEPTED",
        "resolvedDate": "2026-01-05T12:00:00.000Z",
        "closedDate": "2026-01-06T12:00:00.000Z",
        "resolutionDetails": {"resolutionCode": code, "faultCode": ["DAMAGED_ONT"]},
        "slaViolation": ["EXCEEDED_SLA_TIME_TO_REPAIR"],
    }
