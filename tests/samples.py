"""Requests: the smallest that the contract allows, and the documents' examples of every field."""

from typing import Any

from hypothesis import HealthCheck, settings

# A busy machine is no finding.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

CHARACTERISTICS = [{"name": "END_USER_CPE", "value": "Zyzel DX3301"}]
CONTACT = {"name": "John Smith", "email": "john@smith.com", "phoneNumber": "01234 567890"}


def problem_request(**changes: Any) -> dict[str, Any]:
    """Return a problem with the mandatory fields of *supplier-create*, and others as given."""
    return {
        "id": 23467,
        "problemType": "STABILITY",
        "problemText": "The service keeps dropping between 6pm and 9pm every evening.",
        "serviceId": "SI2345432345345",
        "serviceSpecification": {"id": "ftthl2r"},
        "characteristics": CHARACTERISTICS,
        "primaryContact": CONTACT,
        "notes": "Lorem ipsum dolor sit amet...",
        **changes,
    }


def published_problem(**changes: Any) -> dict[str, Any]:
    """Return the example of *supplier-create*, which has every field, with some replaced."""
    return {
        **problem_request(),
        "address": {"id": "200004033694", "type": "UPRN"},
        "serviceTestId": 23467,
        "serviceTestReference": "TEST_233827673",
        "secondaryContact": CONTACT,
        "appointmentReservationId": 345,
        "appointmentReservationReference": "A234X",
        "parentServiceProblemId": 12345,
        "parentServiceProblemReference": "SI_RE23380000",
        "hazards": "Hazardous materials stored on site",
        "onSiteRestrictions": "Restricted access",
        **changes,
    }


def amendment_request(**changes: Any) -> dict[str, Any]:
    """Return the request of *supplier-amend* with some fields replaced."""
    return {
        "id": 23467,
        "supplierReference": "SI_RE233827673",
        "serviceProblemId": 12356,
        "supplierServiceProblemReference": "SK_PRO233827673",
        "problemText": "The service keeps dropping between 6pm and 9pm every evening.",
        "escalationRequest": True,
        "characteristics": CHARACTERISTICS,
        "primaryContact": CONTACT,
        "secondaryContact": CONTACT,
        "appointmentReservationId": 345,
        "appointmentReservationReference": "A234X",
        "hazards": "Hazardous materials stored on site",
        "onSiteRestrictions": "Restricted access",
        "notes": "Lorem ipsum dolor sit amet...",
        **changes,
    }


def cancellation_request(**changes: Any) -> dict[str, Any]:
    """Return a cancellation with some fields replaced."""
    return {
        "id": 23467,
        "serviceProblemId": 12356,
        "supplierServiceProblemReference": "SK_PRO233827673",
        "reasonCode": "CUSTOMER_NETWORK_ISSUE",
        "text": "Issue appears to have rectified itself.",
        **changes,
    }


def resolution(**changes: Any) -> dict[str, Any]:
    """Return a resolution with the examples of *tenant-get 1.17* and some fields replaced."""
    return {
        "supplierReference": "SP_RESOLUTION1",
        "status": "ACCEPTED",
        "resolvedDate": "2022-01-10T09:00:00.000Z",
        "closedDate": "2022-01-10T09:00:00.000Z",
        "resolutionDetails": {
            "resolutionCode": "NETWORK_CABLING",
            "resolutionText": "The cable at the pole was renewed.",
            "supplierCodes": ["R9"],
            "faultCode": ["DAMAGED_ONT"],
        },
        "slaViolation": ["EXCEEDED_SLA_TIME_TO_REPAIR"],
        "tenantNotes": "The problem was not resolved",
        **changes,
    }


def kci(reason: str, status: str, **changes: Any) -> dict[str, Any]:
    """Return a KCI about the example problem with some fields added or replaced."""
    problem = {"status": status, "supplierReference": "A123X", **published_problem()}
    return {
        "id": "3456cf7d-4471-42e4-a5be-c24ed58a7aa6",
        "sequenceNumber": 1,
        "issuedOn": "2022-01-10T09:00:00.000Z",
        "reasonCode": reason,
        "serviceProblem": problem,
        **changes,
    }
