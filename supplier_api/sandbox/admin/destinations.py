"""/admin/destinations: the gateway that a tenant's KCIs go to."""

from typing import Any

from flask import Response

from supplier_api.contract import Invalid
from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.fields import Text
from supplier_api.contract.loading import StrictSchema, make
from supplier_api.contract.schemas import ERROR
from supplier_api.http.openapi import response
from supplier_api.http.request_parsing import empty, json_response
from supplier_api.http_client.tokens import NoTokenError
from supplier_api.sandbox.admin.parameters import WHOSE, TrueOrFalse
from supplier_api.sandbox.admin.parts import bench
from supplier_api.sandbox.admin.resource import AdminBlueprint
from supplier_api.sandbox.json_schemas import flag, object_of, text
from supplier_api.sandbox.tenant_settings import TenantSettingRepository
from supplier_api.settings.secrets import MASK

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
    StrictSchema,
)
TRIED = object_of({"stored": flag(), "token": text("granted, or why there was none")})
FORCE = TrueOrFalse("true: keep it even if it gives us no token now", example=True)
NO_SUCH_TENANT = response("There can be no such tenant", ERROR)
PATH = "/destinations/<rest:tenant>"

destinations = AdminBlueprint("destinations", "Where a tenant's updates go")


@destinations.call(
    "GET",
    PATH,
    "destination",
    {
        200: response("The tenant's own gateway", DESTINATION),
        404: response("It has none: its updates go where everybody's go", ERROR),
        422: NO_SUCH_TENANT,
    },
    parameters=WHOSE,
)
def show(tenant: str) -> Response:
    """Show where a tenant's updates go."""
    store = bench().services.store
    found = store.read(lambda uow: TenantSettingRepository(uow).destination(tenant))
    if found is None:
        return bench().refuse(404, ErrorCode.NOT_FOUND, "tenant: has no gateway of its own")
    return json_response({**found, "clientSecret": MASK})


@destinations.call(
    "PUT",
    PATH,
    "set-destination",
    {
        200: response("It is kept: updates of this tenant go there from now on", TRIED),
        422: response("Something is wrong, or it gave us no token: nothing is kept", ERROR),
    },
    parameters={**WHOSE, "force": FORCE},
    body=DESTINATION,
)
def put(tenant: str, query: dict[str, Any], body: dict[str, Any]) -> Response:
    """Let a tenant's updates go to a gateway of its own.

    Its token endpoint is tried at once.
    """
    try:
        bench().try_token(body)
        result = "granted"
    except NoTokenError as error:
        result = str(error)
        if not query["force"]:
            raise Invalid([f"{result}; ?force=true keeps it all the same"]) from None
    _set(tenant, body)
    return json_response({"stored": True, "token": result})


@destinations.call(
    "DELETE",
    PATH,
    "forget-destination",
    {204: response("Its updates go where everybody's go"), 422: NO_SUCH_TENANT},
    parameters=WHOSE,
)
def forget(tenant: str) -> Response:
    """Let a tenant's updates go where everybody's go."""
    _set(tenant, None)
    return empty(204)


def _set(tenant: str, destination: dict[str, Any] | None) -> None:
    bench().services.store.write(
        lambda uow: TenantSettingRepository(uow).set_destination(tenant, destination)
    )
