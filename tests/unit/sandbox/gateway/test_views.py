"""What tenants are shown of a resolution."""

import pytest

from supplier_api.contract.codes import ResolutionCode
from supplier_api.sandbox.gateway.model import StoredResolution
from supplier_api.sandbox.gateway.updates import answered_view


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
    view = answered_view(StoredResolution(5, 1, "SP_RES01", said), {})

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
