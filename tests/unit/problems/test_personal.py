"""Which fields of the wire are hidden wherever a document outlives its request."""

from supplier_api.problems.personal import PLACEHOLDER, masked


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
