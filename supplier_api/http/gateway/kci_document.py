"""The other half of the contract: the updates (KCIs) that a supplier sends to the gateway.

We call this API and do not serve it; its description is committed beside that of our own.
"""

from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from supplier_api.contract import CONTRACT, KCI
from supplier_api.contract.kci import KCI_EXAMPLE
from supplier_api.http.gateway.description import JSON


def document() -> dict[str, Any]:
    """Return the OpenAPI document of the gateway's door for updates."""
    spec = APISpec(
        "Supplier Updates API",
        CONTRACT.supplier_updates,
        "3.0.3",
        plugins=[MarshmallowPlugin()],
        info={"description": "What a supplier sends about its service problems, in order."},
    )
    spec.path(
        "/kcis",
        operations={
            "post": {
                "operationId": "kcis",
                "summary": "Take an update (KCI) about a service problem.",
                "requestBody": {
                    "required": True,
                    "content": {JSON: {"schema": KCI, "example": KCI_EXAMPLE}},
                },
                "responses": {"204": {"description": "The update is taken"}},
            }
        },
    )
    described: dict[str, Any] = spec.to_dict()
    return described
