"""What an amendment changes of a problem."""

from typing import Any

import pytest

from supplier_api.sandbox.gateway.amending import amended

PROBLEM: dict[str, Any] = {
    "problemText": "The service keeps dropping.",
    "characteristics": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    "primaryContact": {"name": "John", "email": "john@smith.com", "phoneNumber": "1"},
    "notes": "None",
}


@pytest.mark.parametrize(
    ("amendment", "changed"),
    [
        ({"notes": "New"}, {"notes": "New"}),
        ({"hazards": "A dog"}, {"hazards": "A dog"}),
        ({"escalationRequest": True}, {}),
        ({"serviceProblemId": 1}, {}),
        (
            {"characteristics": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]},
            {
                "characteristics": [
                    {"name": "A", "value": "1"},
                    {"name": "B", "value": "3"},
                    {"name": "C", "value": "4"},
                ]
            },
        ),
        (
            {"primaryContact": {"name": "Mary", "phoneNumber": "2"}},
            {"primaryContact": {"name": "Mary", "email": "john@smith.com", "phoneNumber": "2"}},
        ),
        (
            {"primaryContact": {"name": "Mary", "email": "m@x.org", "phoneNumber": "2"}},
            {"primaryContact": {"name": "Mary", "email": "m@x.org", "phoneNumber": "2"}},
        ),
        (
            {"secondaryContact": {"name": "Mary", "phoneNumber": "2"}},
            {"secondaryContact": {"name": "Mary", "phoneNumber": "2"}},
        ),
    ],
)
def test_only_what_is_supplied_changes(amendment: dict[str, Any], changed: dict[str, Any]) -> None:
    assert amended(PROBLEM, amendment) == PROBLEM | changed
