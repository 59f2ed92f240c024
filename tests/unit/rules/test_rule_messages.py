"""Messages of refusals."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supplier_api.rules.facts import GROUPS
from supplier_api.rules.model import Operation
from supplier_api.rules.rule import parse_template
from tests.unit.rules.books import NOW

GROUPS_OF_A_PROBLEM = GROUPS[Operation.PROBLEM]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("plain", "plain"),
        ("{service.id} is {service.state}!", "SI1 is ceased!"),
        ("{{{request.id}}}", "{7}"),
        ("open: {open_problems}", "open: SP_1, SP_2"),
        ("known: {service.known}", "known: true"),
        ("at {clock.now}", "at 2026-01-05T12:00:00.000Z"),
        ("absent: {request.address.id}, {incidents}", "absent: none, none"),
    ],
)
def test_a_message_holds_the_facts_that_it_names(template: str, message: str) -> None:
    values: dict[str, Any] = {
        "service": {"known": True, "id": "SI1", "state": "ceased"},
        "request": {"id": 7},
        "open_problems": ["SP_1", "SP_2"],
        "incidents": [],
        "clock": {"now": NOW},
    }
    assert parse_template(template, GROUPS_OF_A_PROBLEM).render(values) == message


@given(st.text(max_size=1200))
def test_a_message_is_cut_to_what_the_wire_allows(text: str) -> None:
    template = parse_template("{request.serviceId}: {tenant}", GROUPS_OF_A_PROBLEM)
    message = template.render({"request": {"serviceId": text}, "tenant": text})
    assert message == f"{text}: {text}"[:1000]
