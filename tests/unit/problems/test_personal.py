"""The personal fields of the wire, which are masked in everything that outlives a request."""

from collections.abc import Iterator

from marshmallow import Schema
from marshmallow.fields import List, Nested

from supplier_api.contract.fields import Text
from supplier_api.contract.kci import KCI
from supplier_api.contract.personal import PERSONAL_FIELDS, PLACEHOLDER, masked, without_personal
from supplier_api.contract.schemas import (
    AMENDMENT_REQUEST,
    CANCELLATION_REQUEST,
    RESOLUTION_ANSWER_REQUEST,
    SERVICE_PROBLEM_REQUEST,
)
from supplier_api.http.backoffice.schemas import EVENT


def test_personal_fields_and_free_text_are_replaced_and_codes_stay() -> None:
    document = {
        "id": 7,
        "problemType": "STABILITY",
        "problemText": "John's line drops.",
        "primaryContact": {"name": "John Smith"},
        "secondaryContact": {"name": "Jane Smith"},
        "characteristics": [{"name": "A", "value": "John"}],
        "hazards": "A dog",
        "onSiteRestrictions": "Ask John",
        "notes": "Ring twice.",
        "text": "John is well again.",
        "tenantNotes": "John is content.",
    }
    kept = masked(document)

    assert kept.keys() == document.keys()
    assert {name for name, value in kept.items() if value != PLACEHOLDER} == {"id", "problemType"}
    assert document["notes"] == "Ring twice."


def free_texts(schema: Schema) -> Iterator[str]:
    """Yield the names of text fields that no personal field holds."""
    for name, field in schema.fields.items():
        if name in PERSONAL_FIELDS:
            continue
        inner = field.inner if isinstance(field, List) else field
        if isinstance(inner, Nested):
            yield from free_texts(inner.schema)
        elif isinstance(inner, Text):
            yield name


def test_every_text_of_every_message_is_personal_or_known_as_a_code() -> None:
    messages = [
        SERVICE_PROBLEM_REQUEST,
        AMENDMENT_REQUEST,
        CANCELLATION_REQUEST,
        RESOLUTION_ANSWER_REQUEST,
        KCI,
        EVENT,
    ]
    assert {name for message in messages for name in free_texts(message)} == {
        "appointmentReservationReference",
        "backOfficeId",
        "backOfficeUrl",
        "changeReference",
        "faultCode",
        "id",  # of an address, a specification, an event
        "name",  # of a specification
        "serviceId",
        "serviceTestReference",
        "slaViolation",
        "supplierCode",
        "supplierCodes",
        "type",  # of an address
    }


def test_nothing_personal_is_left_however_deep() -> None:
    kept = without_personal(
        {"id": 1, "notes": "John", "details": [{"code": "R9", "text": "John", "n": {"note": "J"}}]}
    )
    assert kept == {"id": 1, "details": [{"code": "R9", "n": {}}]}
