"""The fields that hold personal data or free text: on the wire, and in the tables.

The fields of requests are marked in contract.field_table; all others are listed here. Traces, logs
and everything else that outlives a request show a placeholder for FIELDS; retention clears STORED;
the table in docs/operations.md is made from both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from supplier_api.contract.field_table import PERSONAL

PLACEHOLDER = "[personal]"
# Replaces a mandatory text that was removed.
REMOVED = "[removed]"

# By their names on the wire, in any message and at any depth. A characteristic may contain
# anything, a customer's name as well as a router's.
FIELDS: Mapping[str, str] = {
    **PERSONAL,
    "tenantNotes": "on a resolution",
    "resolutionText": "of a resolution",
    "supplierNotes": "of a KCI",
    "note": "of the back office",
}
PERSONAL_FIELDS = frozenset(FIELDS)


class Goes(StrEnum):
    """What is removed from a column; with the fields go their values, everything else stays."""

    FIELDS = "the fields above"
    ALL = "all of it"
    ROW = "the row"


class After(StrEnum):
    """When it is removed. The names are settings, in days."""

    OVER = "`thin_after_days`"  # of what comes later: by its own age
    ENDED = "`thin_after_days` after its end"
    ACTIONS = "`actions_days`"
    INBOX = "`inbox_days`"
    JOURNAL = "`sandbox.journal_days`"


@dataclass(frozen=True, slots=True)
class Stored:
    """A column (TABLE.COLUMN) that holds such fields or texts.

    `leaves` is the value afterwards, where `goes` is ALL: None for NULL.
    """

    column: str
    holds: str
    goes: Goes = Goes.ALL
    after: After = After.OVER
    leaves: str | Mapping[str, Any] | None = None

    @property
    def table(self) -> str:
        """The table's name."""
        return self.column.partition(".")[0]

    @property
    def name(self) -> str:
        """The column's name within its table."""
        return self.column.partition(".")[2]


STORED = (
    Stored("service_problem.document", "the problem as it is now", Goes.FIELDS),
    Stored("service_problem.scenario", "what a tester chose, as an earlier release kept it"),
    Stored("scenario_choice.plays", "what a tester chose (sandbox)", Goes.ROW),
    Stored("change_request.body", "an amendment, a cancellation", Goes.FIELDS),
    Stored("resolution.details", "what was done about the problem", Goes.FIELDS),
    Stored("resolution.tenant_notes", "the tenant's words on it"),
    Stored("decision.body", "what a request was answered"),
    Stored("decision.trace", "what the rules looked at"),
    Stored("decision.facts", "what they could look at, without the fields above"),
    Stored("message.body", "a KCI, a work order", leaves="{}"),
    Stored("message.original", "a message before it was edited"),
    Stored("message.refusal", "what the receiver said of a dead letter"),
    Stored("back_office_event.body", "what an event was answered", leaves={}),
    Stored("timer.data", "what the back office will say later", Goes.ROW),
    Stored("ticket_apart.snapshot", "what a ticket said that did not fit", Goes.ROW),
    Stored("operator_action.reason", "why somebody did something about it", leaves=REMOVED),
    Stored("pause.reason", "why its delivery was paused", leaves=REMOVED),
    Stored("incident.text", "what is told of an incident", after=After.ENDED),
    Stored("operator_action.reason", "the same, about no problem", Goes.ROW, After.ACTIONS),
    Stored("pause.reason", "the same, about no problem, once it is over", Goes.ROW, After.ACTIONS),
    Stored("operator_action.reason", "why somebody erased or exported it", Goes.ROW, After.ACTIONS),
    Stored("inbox.body", "a webhook of the back office", Goes.ROW, After.INBOX),
    Stored("ticket_apart.snapshot", "the same, of a ticket of no problem", Goes.ROW, After.INBOX),
    Stored("journal.entry", "a call as it was (sandbox)", Goes.ROW, After.JOURNAL),
)


def masked(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a wire document with the placeholder for each personal field."""
    return {
        name: PLACEHOLDER if name in PERSONAL_FIELDS else value for name, value in document.items()
    }


def masked_inside(value: Any) -> Any:
    """Return a copy of a JSON value with the placeholder for personal fields at any depth."""
    if isinstance(value, Mapping):
        return masked({name: masked_inside(inner) for name, inner in value.items()})
    if isinstance(value, list):
        return [masked_inside(each) for each in value]
    return value


def without_personal(value: Any) -> Any:
    """Return a copy of a JSON value without personal fields at any depth."""
    if isinstance(value, Mapping):
        return {
            name: without_personal(inner)
            for name, inner in value.items()
            if name not in PERSONAL_FIELDS
        }
    if isinstance(value, list):
        return [without_personal(each) for each in value]
    return value
