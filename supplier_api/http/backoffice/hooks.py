"""POST /back-office/v1/hooks/{name}: webhooks, stored as they come."""

from collections.abc import Mapping

from flask import Response, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from supplier_api.auth import NotAuthorised
from supplier_api.backoffice.hooks import kept_headers, key_of
from supplier_api.contract import refusals
from supplier_api.contract.errors import ErrorAnswer
from supplier_api.http.backoffice.door import blueprint, door
from supplier_api.http.openapi import BEARER, error_responses, in_path, operation, response
from supplier_api.http.request_parsing import empty
from supplier_api.logging import get_logger
from supplier_api.problems.inbox_repository import InboxRepository

NAME = in_path(
    "name",
    "The adapter whose system sends the webhook",
    {"type": "string", "minLength": 1, "maxLength": 64},
    "http",
)
TEXTS = {
    ErrorAnswer.MALFORMED: "The request cannot be read",
    ErrorAnswer.NOT_AUTHORISED: "No signature or token, or not a good one",
    ErrorAnswer.NOT_FOUND: "No such hook, or it is closed",
    ErrorAnswer.TOO_LARGE: "The webhook is too large",
}
log = get_logger(__name__)


@blueprint.route("/hooks/<name>", methods=["POST"], parameters=[NAME])
@blueprint.doc(
    **operation(
        refusals.HOOK,
        {204: response("Stored, now or before"), **error_responses(refusals.HOOK, TEXTS)},
        [{BEARER: []}, {}],
    )
)
def hook(**path: str) -> Response:
    """Store a webhook of the back office's system; the worker applies it.

    It is signed as Standard Webhooks says, or has the hook's token as a bearer token or as the
    password of Basic. The answer comes once it is stored for good; the same webhook again, by
    its webhook-id or else by its body, changes nothing.
    """
    if path["name"] != door().hook.name:
        raise refusals.UNKNOWN_HOOK.error()
    body = _read_any_body(door().max_body)
    headers = {name.lower(): value for name, value in request.headers.items()}
    if not door().hook.admits(headers, body):
        raise NotAuthorised("expected a valid signature or token", "Bearer")
    _store(headers, body)
    return empty(204)


def _store(headers: Mapping[str, str], body: bytes) -> None:
    """Store a webhook unless it is there already.

    Raises db.StoreUnavailable: then nothing may be answered but "later".
    """
    services, name = door().services, str(door().hook.name)
    key, kept, now = key_of(headers, body), kept_headers(headers), services.machine.now()
    new = services.store.write(lambda uow: InboxRepository(uow).add(name, key, kept, body, now))
    log.info("inbox.received", hook=name, key=key, new=new)


def _read_any_body(limit: int) -> bytes:
    """Return the body, whatever its type; refuses one of more than `limit` bytes."""
    try:
        body = request.get_data(cache=False)
    except ClientDisconnected:
        raise refusals.BODY_CUT_SHORT.error() from None
    except RequestEntityTooLarge:
        raise refusals.HOOK_TOO_LARGE.error(limit=limit) from None
    # The server cuts a chunked body at its own limit, which is set one byte higher.
    if len(body) > limit:
        raise refusals.HOOK_TOO_LARGE.error(limit=limit)
    return body
