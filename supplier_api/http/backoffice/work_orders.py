"""/back-office/v1/work-orders: orders are fetched by a back office that nobody may call."""

from typing import Any

from flask import Response, request

from supplier_api.backoffice.order_answer import office_answer
from supplier_api.contract import load, refusals
from supplier_api.contract.errors import ErrorAnswer
from supplier_api.delivery.pull import PulledOrder, PulledOrders
from supplier_api.http.backoffice.door import (
    admit,
    blueprint,
    describe,
    door,
    is_name,
    read_document,
)
from supplier_api.http.backoffice.schemas import CLAIMED_ANSWER, NAME_MAX
from supplier_api.http.openapi import in_path, response
from supplier_api.http.request_parsing import check_query, json_response, query_number
from supplier_api.http.wsgi import WAIT
from supplier_api.problems.transition import Incomplete
from supplier_api.problems.work import ORDER_KINDS

MOST = 100  # orders
LONGEST = 60  # seconds
LONGEST_LEASE = 3600  # seconds
DEFAULTS = {"limit": 50, "wait": 0, "lease": 60}
LIMITS = {"limit": (1, MOST), "wait": (0, LONGEST), "lease": (1, LONGEST_LEASE)}
_TEXTS = {
    ErrorAnswer.CONFLICT: "Orders are not fetched here, or this one is no longer yours",
    ErrorAnswer.NOT_FOUND: "No such order",
}
_MEANINGS = {
    "limit": "How many orders at most",
    "wait": "Seconds to wait while there is none",
    "lease": "Seconds after which an order that is not answered comes again",
}
QUERY = [
    {
        "name": name,
        "in": "query",
        "description": _MEANINGS[name],
        "schema": {
            "type": "integer",
            "minimum": least,
            "maximum": most,
            "default": DEFAULTS[name],
        },
    }
    for name, (least, most) in LIMITS.items()
]
ORDER = {
    "type": "object",
    "required": ["id", "kind", "tenant", "reference", "issued", "standing", "decide", "claim"],
    "properties": {
        "id": {"type": "string", "description": "The same each time that the order comes"},
        "kind": {"type": "string", "enum": [str(kind) for kind in ORDER_KINDS]},
        "claim": {"type": "integer", "description": "The number that its answer names"},
        **{name: {"type": "string"} for name in ("tenant", "reference", "issued", "standing")},
        "decide": {"type": "boolean", "description": "The back office must decide"},
        "problem": {"type": "object"},
        "subject": {"type": "object"},
        "deferred": {"type": "object"},
        **{name: {"type": "string"} for name in ("cause", "decide_by", "ticket", "change_ticket")},
    },
}
LEASED = {
    "type": "object",
    "required": ["orders"],
    "properties": {"orders": {"type": "array", "items": ORDER}},
}
SETTLED = {
    "type": "object",
    "required": ["id", "state"],
    "properties": {
        "id": {"type": "string"},
        "state": {"type": "string", "enum": ["delivered", "refused", "expired"]},
        "ticket": {
            "type": "string",
            "description": "The ticket that the order has",
            "nullable": True,
        },
    },
}
ID = in_path(
    "id",
    "The order's id",
    {"type": "string", "minLength": 1, "maxLength": NAME_MAX},
    "6fe40415-9f68-4f1e-b9df-cd46df7169c6",
)


@blueprint.route("/work-orders", methods=["GET"])
@blueprint.doc(
    **describe(
        refusals.LEASE_ORDERS,
        {200: response("The orders, none if there are none", LEASED)},
        _TEXTS,
        parameters=QUERY,
    )
)
def lease() -> Response:
    """Fetch the orders that are due: the first one of each problem.

    Each is yours for `lease` seconds. One that is not answered by then comes again, so the same
    id must have no second effect. The next order of a problem comes when the one before is
    answered.
    """
    who, orders = _admitted()
    check_query(request, tuple(LIMITS))
    limit, wait, seconds = (
        query_number(request, name, DEFAULTS[name], *LIMITS[name]) for name in LIMITS
    )
    leased = orders.lease(limit, seconds, who)
    if not leased and wait:
        # The server runs the request again, and no thread waits.
        request.environ[WAIT] = float(wait)
    return json_response({"orders": [_shown(each) for each in leased]})


@blueprint.route("/work-orders/<id>/answer", methods=["POST"], parameters=[ID])
@blueprint.doc(
    **describe(
        refusals.ANSWER_ORDER,
        {200: response("Settled, now or by the same answer before", SETTLED)},
        _TEXTS,
        request=CLAIMED_ANSWER,
    )
)
def answer(**path: str) -> Response:
    """Say that an order was taken, with the ticket and what was decided at once, or refuse it.

    A repeat has no effect. 409 is final: the order was given out again, or settled otherwise.
    """
    _, orders = _admitted()
    order_id = path["id"]
    sent = load(CLAIMED_ANSWER, read_document())
    said = office_answer(sent)
    if not is_name(order_id):
        raise refusals.UNKNOWN_ORDER.error()
    try:
        result = orders.answer(order_id, sent["claim"], said)
    except Incomplete as error:
        raise error.refused from None
    return json_response({"id": order_id, "state": result.state, "ticket": result.ticket})


def _admitted() -> tuple[str, PulledOrders]:
    """Return who asks, and for which orders; raises RequestRefused where none are fetched."""
    who, orders = admit(), door().orders
    if orders is None:
        raise refusals.NOT_FETCHED.error()
    return who, orders


def _shown(leased: PulledOrder) -> dict[str, Any]:
    return {**leased.order.document(), "claim": leased.claim}
