"""The adapter `http`: work orders as JSON to a URL of the supplier's, webhooks by a mapping.

An order is a POST, signed as Standard Webhooks says where there is a secret; `webhook-id` is the
order's id, the same at each attempt. Where there is a URL to read tickets at, each ticket can be
looked at too. What the answers mean is in docs/back-office.md.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import quote

import orjson
from pydantic import model_validator
from standardwebhooks import Webhook

from supplier_api.backoffice.mapping import TicketMapping
from supplier_api.backoffice.mapping_file import load_mapping
from supplier_api.backoffice.mapping_values import MappingFailed
from supplier_api.backoffice.order_answer import ANSWER, office_answer
from supplier_api.backoffice.port import (
    ORDER_KINDS,
    AdapterOptions,
    OrderAnswer,
    OrderRefused,
    Snapshot,
    TryLater,
    WorkOrder,
)
from supplier_api.clock import MachineClock, SystemMachineClock
from supplier_api.contract import MessageError, RequestRefused, load, read_json
from supplier_api.http_client.calls import HttpResponse, Post, fetch, send
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.settings.model import BackOfficeSettings
from supplier_api.settings.section import (
    ConfigFile,
    OneLine,
    Seconds,
    Secret,
    SigningSecret,
    Url,
    of_form,
)

JSON = "application/json"
# Refused for good (as the gateway's answers are read); 409: the order is known already.
REFUSED = frozenset({400, 413, 422})
KNOWN = 409
# In an answer to a look at a ticket: there is none.
NO_TICKET = frozenset({404, 410})
TICKET = "{ticket}"
TICKET_SIZE = 1_048_576  # bytes of a ticket that are read
ReadUrl = Annotated[
    Url,
    of_form(
        r"https?://[^/{]+/.*\{ticket\}",
        "a URL with {ticket} in its path or query, as in https://desk.example/tickets/{ticket}",
    ),
]
# In an answer to a probe: not let in.
NO_ACCESS = frozenset({401, 403})


class HttpOptions(AdapterOptions):
    """Where orders go, how they are signed, by what webhooks are read, where tickets are.

    `read_as` is the name under which the mapping has what the desk answers to a look at a ticket.
    `timeout` is in seconds.
    """

    url: Url
    secret: SigningSecret | None = None
    token: Secret | None = None
    user: OneLine | None = None
    password: Secret | None = None
    mapping_file: Annotated[Path | None, ConfigFile()] = None
    read_url: ReadUrl | None = None
    read_as: OneLine | None = None
    ca_file: Annotated[Path | None, ConfigFile()] = None
    timeout: Seconds = 10.0

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.user is None) is not (self.password is None):
            raise ValueError("user and password go together")
        if self.user and self.token:
            raise ValueError("expected either token, or user and password")
        if ":" in (self.user or ""):
            raise ValueError("user must hold no colon (RFC 7617)")
        return self

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.read_url and self.mapping_file is None:
            raise ValueError("read_url needs mapping_file: it says what the tickets mean")
        if self.read_as and self.read_url is None:
            raise ValueError("read_as needs read_url")
        return self


class OrderNotTaken(TryLater):
    """The answer is none that ends an order: it is tried again."""


class TicketNotRead(TryLater):
    """The answer to a look at a ticket does not say what it is."""


class HttpBackOffice:
    """A back office behind a URL."""

    options = HttpOptions
    kinds = frozenset(ORDER_KINDS)

    def __init__(self, settings: BackOfficeSettings, clock: MachineClock | None = None) -> None:
        """Read the mapping, if there is one; raises rules.model.BookError."""
        assert isinstance(settings.options, HttpOptions)
        self._options = settings.options
        self._clock = clock or SystemMachineClock()
        self._sessions = Sessions(ca_file=self._options.ca_file)
        self._watchdog = Watchdog(self._clock)
        self._watchdog.start()
        secret, file = self._options.secret, self._options.mapping_file
        self._signer = Webhook(secret.get_secret_value()) if secret else None
        self._mapping = load_mapping(file) if file else None
        if self._options.read_url:
            # Only with it are we an adapter of the kind port.Reads, whose tickets are compared.
            self.read = self._read_ticket

    def submit(self, order: WorkOrder) -> OrderAnswer:
        """POST the order; raises OrderRefused, OrderNotTaken and errors of the network."""
        body = orjson.dumps(order.document() | self._outbound(order))
        with self._watchdog.limit(self._options.timeout) as call:
            post = Post(self._options.url, self._headers(order.id, body), body, order.tenant)
            answered = send(self._sessions, post, call, None)
        if answered.status in REFUSED:
            raise OrderRefused(_refusal(answered) or f"answered {answered.status}")
        if not (200 <= answered.status < 300 or answered.status == KNOWN):
            raise OrderNotTaken(
                f"answered {answered.status}", answered.headers.get("Retry-After"), answered.status
            )
        return _read(answered, order)

    def ping(self) -> str:
        """Send OPTIONS, which changes nothing; raises OrderNotTaken if we are not let in."""
        with self._watchdog.limit(self._options.timeout) as call:
            response = self._sessions.options(
                self._options.url, headers=self._access(), read_timeout=call.left()
            )
            with response:
                status = response.status
        if status in NO_ACCESS or status >= 500:
            raise OrderNotTaken(f"answered {status}")
        return f"answers {status} to OPTIONS"

    def parse(self, headers: Mapping[str, str], body: bytes) -> list[Snapshot]:  # noqa: ARG002
        """Read a webhook by the mapping; raises ValueError."""
        if self._mapping is None:
            raise MappingFailed("backoffice.options.mapping_file", "is not set")
        return self._mapping.parse(body)

    def _read_ticket(self, ticket: str) -> Snapshot | None:
        """Look at a ticket; raises TicketNotRead, MappingFailed and errors of the network."""
        assert self._options.read_url
        assert self._mapping
        url = self._options.read_url.replace(TICKET, quote(ticket, safe=""))
        headers = {"Accept": JSON, **self._access()}
        with self._watchdog.limit(self._options.timeout) as call:
            answered = fetch(self._sessions, url, headers, call, TICKET_SIZE)
        if answered.status in NO_TICKET:
            return None
        if answered.status != 200:
            raise TicketNotRead(
                f"answered {answered.status}", answered.headers.get("Retry-After"), answered.status
            )
        if not answered.complete:
            raise TicketNotRead("the answer broke off")
        try:
            found = read_json(answered.body)
        except RequestRefused:
            raise TicketNotRead("the answer is not JSON") from None
        name = self._options.read_as
        return self._mapping.snapshot({name: found} if name else found)

    def _outbound(self, order: WorkOrder) -> dict[str, Any]:
        """Return the desk's own words for the order, by the mapping's `outbound`."""
        return {"outbound": words} if (words := _words(self._mapping, order)) else {}

    def _headers(self, order_id: str, body: bytes) -> dict[str, str]:
        now = self._clock.now()
        headers = {
            "Content-Type": JSON,
            "Accept": JSON,
            "webhook-id": order_id,
            "webhook-timestamp": str(int(now.timestamp())),
            **self._access(),
        }
        if self._signer:
            headers["webhook-signature"] = self._signer.sign(order_id, now, body.decode())
        return headers

    def _access(self) -> dict[str, str]:
        options = self._options
        if options.token:
            return {"Authorization": f"Bearer {options.token.get_secret_value()}"}
        if options.user and options.password:
            pair = f"{options.user}:{options.password.get_secret_value()}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        return {}


def _words(mapping: TicketMapping | None, order: WorkOrder) -> dict[str, str]:
    if mapping is None:
        return {}
    words = {
        "status": mapping.outbound.status(order.standing),
        "priority": mapping.outbound.priority(order.problem.get("problemType", "")),
    }
    return {name: word for name, word in words.items() if word is not None}


def _refusal(answered: HttpResponse) -> str | None:
    """Return why an order is refused, if the body says it as an answer of ours does."""
    try:
        return office_answer(load(ANSWER, orjson.loads(answered.body))).refused
    except (MessageError, ValueError):
        return None


def _read(answered: HttpResponse, order: WorkOrder) -> OrderAnswer:
    """Return what a 2xx or 409 says.

    Raises OrderRefused, and OrderNotTaken for what is no answer of ours.
    """
    if not answered.complete:
        raise OrderNotTaken("the answer broke off")
    if not answered.body.strip():
        return OrderAnswer()
    try:
        said = office_answer(load(ANSWER, orjson.loads(answered.body)))
    except (MessageError, ValueError) as error:
        raise OrderNotTaken("the answer is not as documented") from error
    if said.refused is not None:
        raise OrderRefused(said.refused)
    return said.to(order)
