"""What the gateway's door works with; bound in one place, when the application is made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from flask import Request, current_app

from supplier_api.audit import Audit
from supplier_api.auth import BearerAuth, ClientCredentials, KeyRing
from supplier_api.clock import MachineClock
from supplier_api.http.api_docs import TryClient
from supplier_api.ids import Chance
from supplier_api.problems.services import Caller, RequestAnswer
from supplier_api.settings import ServerSettings

EXTENSION = "supplier_api.http.gateway"


class Desk(Protocol):
    """Who decides. Documents are requests as the wire has them, validated.

    Every call returns the answer to give, or raises problems.errors.Unavailable.
    """

    def raise_problem(self, caller: Caller, document: Mapping[str, Any]) -> RequestAnswer:
        """Take a new service problem."""

    def amend(self, caller: Caller, document: Mapping[str, Any]) -> RequestAnswer:
        """Take a request to amend one."""

    def cancel(self, caller: Caller, document: Mapping[str, Any]) -> RequestAnswer:
        """Take a request to cancel one."""

    def settle(self, caller: Caller, reference: str, document: Mapping[str, Any]) -> RequestAnswer:
        """Take the tenant's word on the resolution of that reference."""


@dataclass(frozen=True, slots=True)
class RequestExtension:
    """What a sandbox reads of a request besides.

    `parameters` are its headers, as OpenAPI describes them. `read` gets the request and its
    document (empty if that could not be read), and raises MessageError with what is wrong.
    """

    parameters: Sequence[Mapping[str, Any]]
    read: Callable[[Request, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Dependencies:
    """All that the views need.

    `extension` is what a sandbox reads of a request besides. `try_clients` are those that the page
    /docs calls as, for anybody to read.
    """

    desk: Desk
    gate: BearerAuth
    credentials: ClientCredentials
    ring: KeyRing
    server: ServerSettings
    machine: MachineClock
    chance: Chance
    audit: Audit
    extension: RequestExtension | None = None
    try_clients: Sequence[TryClient] = ()


def dependencies() -> Dependencies:
    """Return the parts of the application that handles the current request."""
    return cast("Dependencies", current_app.extensions[EXTENSION])
