"""/admin/reset: a fresh start, from which everything comes the same again."""

from datetime import UTC, datetime

from flask import Response
from flask_smorest import Blueprint

from supplier_api.clock import from_wire
from supplier_api.contract import Invalid
from supplier_api.contract.fields import Id, InstantField
from supplier_api.contract.schemas import make
from supplier_api.http.responses import json_response
from supplier_api.sandbox.admin.clock import HAND, shown_clock
from supplier_api.sandbox.admin.dependencies import AdminParts
from supplier_api.sandbox.admin.description import admin_blueprint, describe, query
from supplier_api.sandbox.admin.query_params import Strict, asked_flag, read_document, tenant_name
from supplier_api.sandbox.reset import reset
from supplier_api.sandbox.virtual_clock import END

BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
RESET = make(
    "Reset",
    {
        "tenant": tenant_name("Whose"),
        "seed": Id("Ids and references follow from it; random without it", 42),
        "freeze_at": InstantField(
            "Where the clock stands from now on; without it, it runs as everybody's does",
            "2026-01-05T12:00:00.000Z",
        ),
    },
    Strict,
)
EVERYBODY = query(
    "all", "true: of all tenants; the body then names none", {"type": "boolean", "default": False}
)


def routes(parts: AdminParts) -> Blueprint:
    """Return the route of the fresh start."""
    blueprint = admin_blueprint("reset", "A fresh start")

    @blueprint.route("/reset", methods=["POST"])
    @blueprint.doc(
        **describe(
            "reset",
            {200: (HAND, "Nothing is left; this is the clock now")},
            request=RESET,
            parameters=[EVERYBODY],
        )
    )
    def start_afresh() -> Response:
        """Delete all that is stored for a tenant, and let what comes be the same every time.

        With a seed and a clock that stands, the same calls make the same problems, updates, ids and
        dates. A destination that was set stays. Other tenants see nothing of it.
        """
        asked = read_document(parts, RESET)
        tenant = asked.get("tenant")
        if asked_flag("all") is (tenant is not None):
            raise Invalid(["tenant: expected one, or none and ?all=true"])
        freeze_at = from_wire(asked["freeze_at"]) if "freeze_at" in asked else None
        if freeze_at and not BEGIN <= freeze_at < END:
            raise Invalid(["freeze_at: expected a year from 1970 to 8999"])
        reset(parts.services, parts.clock_sync, tenant, seed=asked.get("seed"), freeze_at=freeze_at)
        return json_response(shown_clock(parts.virtual_clock, tenant))

    return blueprint
