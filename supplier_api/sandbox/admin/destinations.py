"""/admin/destinations: the gateway that a tenant's KCIs go to."""

from typing import Any

from flask import Response
from flask_smorest import Blueprint

from supplier_api.contract import Invalid
from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.fields import Text
from supplier_api.contract.schemas import ERROR, make
from supplier_api.http.bodies import empty, json_response
from supplier_api.http_client.tokens import NoTokenError
from supplier_api.sandbox.admin.dependencies import AdminParts
from supplier_api.sandbox.admin.description import TENANT_IN_PATH, admin_blueprint, describe, query
from supplier_api.sandbox.admin.query_params import Strict, asked_flag, read_document, read_tenant
from supplier_api.sandbox.tenant_settings import TenantSettingRepository
from supplier_api.settings.masking import MASK

URL_PATTERN = r"https?://[^\s/]+\S*"


def _url(description: str, example: str) -> Text:
    return Text(description, example, maximum=1000, pattern=URL_PATTERN, required=True)


DESTINATION = make(
    "Destination",
    {
        "kciUrl": _url("Where updates (KCIs) are POSTed", "http://127.0.0.1:9000/kcis"),
        "tokenUrl": _url("Where we get a token", "http://127.0.0.1:9000/oauth2/token"),
        "clientId": Text("Our client there", "supplier", required=True),
        "clientSecret": Text("Its secret; shown as asterisks", "secret", required=True),
    },
    Strict,
)
TRIED: dict[str, Any] = {
    "type": "object",
    "required": ["stored", "token"],
    "properties": {
        "stored": {"type": "boolean"},
        "token": {"type": "string", "description": "granted, or why there was none"},
    },
}
FORCE = query(
    "force",
    "true: keep it even if it gives us no token now",
    {"type": "boolean", "default": False},
    example=True,
)
NO_SUCH_TENANT = (ERROR, "There can be no such tenant")


def routes(parts: AdminParts) -> Blueprint:
    """Return the routes of the destinations."""
    blueprint = admin_blueprint("destinations", "Where a tenant's updates go")
    store = parts.services.store

    @blueprint.route("/destinations/<rest:tenant>", methods=["GET"])
    @blueprint.doc(
        **describe(
            "destination",
            {
                200: (DESTINATION, "The tenant's own gateway"),
                404: (ERROR, "It has none: its updates go where everybody's go"),
                422: NO_SUCH_TENANT,
            },
            parameters=[TENANT_IN_PATH],
        )
    )
    def show(tenant: str) -> Response:
        """Show where a tenant's updates go."""
        name = read_tenant(tenant)
        found = store.read(lambda uow: TenantSettingRepository(uow).destination(name))
        if found is None:
            return parts.refuse(404, ErrorCode.NOT_FOUND, "tenant: has no gateway of its own")
        return json_response({**found, "clientSecret": MASK})

    @blueprint.route("/destinations/<rest:tenant>", methods=["PUT"])
    @blueprint.doc(
        **describe(
            "set-destination",
            {
                200: (TRIED, "It is kept: updates of this tenant go there from now on"),
                422: (ERROR, "Something is wrong, or it gave us no token: nothing is kept"),
            },
            request=DESTINATION,
            parameters=[TENANT_IN_PATH, FORCE],
        )
    )
    def put(tenant: str) -> Response:
        """Let a tenant's updates go to a gateway of its own.

        Its token endpoint is tried at once.
        """
        name, force = read_tenant(tenant), asked_flag("force")
        destination = read_document(parts, DESTINATION)
        try:
            parts.try_token(destination)
            told = "granted"
        except NoTokenError as error:
            told = str(error)
            if not force:
                raise Invalid([f"{told}; ?force=true keeps it all the same"]) from None
        store.write(lambda uow: TenantSettingRepository(uow).set_destination(name, destination))
        return json_response({"stored": True, "token": told})

    @blueprint.route("/destinations/<rest:tenant>", methods=["DELETE"])
    @blueprint.doc(
        **describe(
            "forget-destination",
            {204: (None, "Its updates go where everybody's go"), 422: NO_SUCH_TENANT},
            parameters=[TENANT_IN_PATH],
        )
    )
    def forget(tenant: str) -> Response:
        """Let a tenant's updates go where everybody's go."""
        name = read_tenant(tenant)
        store.write(lambda uow: TenantSettingRepository(uow).set_destination(name, None))
        return empty(204)

    return blueprint
