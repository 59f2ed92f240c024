"""What an office answers to a work order, as JSON.

The body of the answer to an order that the adapter `http` sends, and in pull mode what the office
sends about an order that it fetched: one form.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from supplier_api.contract import refusals
from supplier_api.contract.codes import ProblemCode
from supplier_api.contract.fields import Code, Flag, Items, Object, Text, Version, long_text
from supplier_api.contract.limits import SUPPLIER_CODE_MAX
from supplier_api.contract.loading import make
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.snapshot import version_from
from supplier_api.problems.work import BackOfficeEvent, OrderAnswer, WorkOrder

DECISION = make(
    "OrderDecision",
    {
        "accept": Flag("Whether it is accepted", example=False, required=True),
        "commit": Flag("Of a problem that is accepted: work starts at once", example=False),
        "problemCode": Code(ProblemCode, "Why it is refused", "OTHER"),
        "text": long_text("What the tenant is told", "The exchange is being moved."),
        "supplierCodes": Items(
            Text("A code of the supplier", maximum=SUPPLIER_CODE_MAX), "Reason codes", ["313"]
        ),
    },
)
ANSWER = make(
    "OrderAnswer",
    {
        "ticket": Text("The office's ticket", "INC0012345", maximum=100),
        "url": Text(
            "Where the ticket can be seen", "https://tickets.example/INC0012345", maximum=1000
        ),
        "version": Version(
            "What the order made of the ticket, a whole number or a time: snapshots that are not"
            " newer are ignored",
            "2026-01-05T12:00:00.000Z",
        ),
        "decision": Object(DECISION, "Of an order with `decide`: what was decided at once"),
        "refused": long_text(
            "Why the order is refused for good; then nothing else counts", "No such line."
        ),
    },
)


@dataclass(frozen=True, slots=True)
class OfficeAnswer:
    """An answer as the office gave it; `refused` says why the order is refused for good."""

    ticket: str | None = None
    url: str | None = None
    version: int | None = None
    decision: Mapping[str, Any] | None = None
    refused: str | None = None

    def to(self, order: WorkOrder) -> OrderAnswer:
        """Return it as an adapter's answer to `order`; a decision counts if the order asks."""
        decided = self.decision is not None and order.decide
        return OrderAnswer(
            back_office_id=self.ticket,
            back_office_url=self.url,
            events=(_event(self.decision or {}, order),) if decided else (),
            version=self.version,
        )


def office_answer(fields: Mapping[str, Any]) -> OfficeAnswer:
    """Return the answer that the fields of ANSWER hold; raises contract.Invalid for its version."""
    version = fields.get("version")
    try:
        known = None if version is None else version_from(version)
    except (ValueError, OverflowError):
        raise refusals.TICKET_VERSION.error() from None
    names = ("ticket", "url", "decision", "refused")
    return OfficeAnswer(version=known, **{name: fields.get(name) for name in names})


def _event(decision: Mapping[str, Any], order: WorkOrder) -> BackOfficeEvent:
    """Return the event of a decision: of the change that the order is about, or the problem."""
    change = order.subject["supplierReference"] if order.subject else None
    accept, code = decision["accept"], decision.get("problemCode")
    if change:
        event = Event.ACCEPT_CHANGE if accept else Event.REJECT_CHANGE
    else:
        event = Event.ACCEPT if accept else Event.REJECT
    return BackOfficeEvent(
        id=f"{order.id}:decision",
        event=event,
        problem_code=ProblemCode(code) if code else None,
        text=decision.get("text"),
        supplier_codes=tuple(decision.get("supplierCodes", ())),
        commit=event is Event.ACCEPT and decision.get("commit", False),
        change_reference=change,
    )
