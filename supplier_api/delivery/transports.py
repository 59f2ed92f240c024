"""The transports: KCIs to the gateway by HTTP, work orders to the back office by its adapter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from supplier_api.backoffice.port import BackOffice, OrderRefused, TryLater
from supplier_api.clock import MachineClock, SystemMachineClock
from supplier_api.contract.limits import MESSAGE_MAX
from supplier_api.delivery.answers import AnswerTerms, GatewayAnswer, read_answer, reply_for
from supplier_api.delivery.model import Meaning, Reply, ids_of
from supplier_api.http_client.calls import (
    NETWORK_ERRORS,
    Observer,
    Post,
    error_cause,
    seconds_to_wait,
    send,
)
from supplier_api.http_client.errors import in_words
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.tokens import (
    BY_FORM,
    NoTokenError,
    SharedToken,
    TokenGrant,
    TokenTerms,
    fetch_grant,
)
from supplier_api.http_client.watchdog import TimedCall, Watchdog
from supplier_api.ids import IdSource
from supplier_api.logging import bind, get_logger
from supplier_api.outbox.model import Message
from supplier_api.problems.work import OrderAnswer, WorkOrder
from supplier_api.rules.model import Operation
from supplier_api.settings.model import GatewaySettings

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """The gateway's URLs, our credentials there, how to ask for a token, and how it answers."""

    kci_url: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    answers: AnswerTerms
    token_terms: TokenTerms = BY_FORM


# Returns headers to send with a KCI besides the published ones.
Label = Callable[[Message], Mapping[str, str]]
# Where a tenant's KCIs go, if to a gateway of its own.
OwnAddress = Callable[[str], GatewayAddress | None]


@dataclass(frozen=True, slots=True)
class TokenAccount:
    """A gateway and the access token that it has issued to us."""

    address: GatewayAddress
    tokens: SharedToken


class GatewayTransport:
    """Sends KCIs to the gateway (Supplier Updates API 1.8, POST /kcis)."""

    def __init__(
        self,
        address: GatewayAddress,
        sessions: Sessions,
        watchdog: Watchdog,
        clock: MachineClock,
        id_source: IdSource,
        own_address: OwnAddress | None = None,
        observer: Observer | None = None,
        label: Label | None = None,
    ) -> None:
        """Prepare to send to `address`, or where `own_address` says for a tenant.

        `observer` sees every call, those for tokens included. `label` adds headers to KCIs that go
        to `address`.
        """
        self._sessions = sessions
        self._watchdog = watchdog
        self._clock = clock
        self._id_source = id_source
        self._own_address = own_address
        self._observer = observer
        self._label = label
        self._shared = self._open(address)
        self._opened: dict[GatewayAddress, TokenAccount] = {}

    def send(self, message: Message, seconds: float) -> Reply:
        """POST the KCI exactly as stored, with a token, within `seconds` in all.

        After a first 401 the KCI is sent once more, at once, with a new token; so it is after a
        403, or a second 401, to a token that was fetched before this call.
        """
        return self._within(
            message.tenant, seconds, lambda account, call: self._exchange(account, message, call)
        )

    def _within(
        self,
        tenant: str,
        seconds: float,
        exchange: Callable[[TokenAccount, TimedCall], GatewayAnswer],
    ) -> Reply:
        """Return what the answer of the tenant's gateway means, or that it gave none in time."""
        account = self._account(tenant)
        with self._watchdog.limit(seconds) as call:
            try:
                reply = reply_for(exchange(account, call), account.address.answers)
            except NoTokenError as error:
                reply = Reply(Meaning.FAILED, str(error))
            except NETWORK_ERRORS as error:
                # It may have arrived, and only the answer be lost.
                reply = Reply(Meaning.FAILED, error_cause(error, call), unknown=True)
        return reply if account is self._shared else replace(reply, counts=False)

    def _account(self, tenant: str) -> TokenAccount:
        own = self._own_address and self._own_address(tenant)
        if not own:
            return self._shared
        # Two threads may open it at once: the first one's is used by both.
        return self._opened.get(own) or self._opened.setdefault(own, self._open(own))

    def _open(self, address: GatewayAddress) -> TokenAccount:
        def fetch(patience: float) -> TokenGrant:
            return fetch_grant(address, self._sessions, self._watchdog, patience, self._observer)

        return TokenAccount(address, SharedToken(fetch, self._clock))

    def _exchange(self, account: TokenAccount, message: Message, call: TimedCall) -> GatewayAnswer:
        # The log only grows; the attempts are counted anew when an operator replays a message.
        body, name = message.body.encode(), ("attempt", message.uuid, len(message.log))
        tokens, asked = account.tokens, self._clock.monotonic()
        token = tokens.current(call.left())
        answer = self._post(account, message, body, token, (*name, False), call)
        for tried in (True, 2):  # True is how the first one has always been named
            old = tokens.is_older(token, asked)
            if not _wants_another_token(answer.status, first=tried is True, old=old):
                break
            asked = self._clock.monotonic()
            token = tokens.instead_of(token, call.left())
            answer = self._post(account, message, body, token, (*name, tried), call)
        return answer

    def _post(
        self,
        account: TokenAccount,
        message: Message,
        body: bytes,
        token: str | None,
        name: tuple[object, ...],
        call: TimedCall,
    ) -> GatewayAnswer:
        """POST `body`; its X-Request-ID follows from `name`, where ids are repeatable."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "X-Request-ID": str(self._id_source.uuid(message.tenant, *name)),
            "X-Conversation-ID": message.conversation_id,
        }
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if self._label and account is self._shared:
            headers |= self._label(message)
        post = Post(account.address.kci_url, headers, body, message.tenant)
        return read_answer(send(self._sessions, post, call, self._observer), self._clock.now())


def _wants_another_token(status: int, *, first: bool, old: bool) -> bool:
    """Return whether a refusal may be the token's fault: an old token, or the first 401."""
    return (status == 401 and (first or old)) or (status == 403 and old)


def token_terms(gateway: GatewaySettings) -> TokenTerms:
    """Return how the settings say that the gateway's token endpoint wants to be asked."""
    named = (
        ("scope", gateway.scope),
        ("audience", gateway.audience),
        ("resource", gateway.resource),
    )
    fields = [(name, value) for name, value in named if value is not None]
    for given in gateway.token_fields:
        name, _, value = given.partition("=")
        fields.append((name, value))
    return TokenTerms(gateway.token_auth, tuple(fields))


# Returns the back office's tickets of the problem, and of the change, that an order is about.
TicketsOf = Callable[[Message], tuple[str | None, str | None]]


class BackOfficeTransport:
    """Passes work orders to an adapter.

    Any exception but OrderRefused means "try again later", TryLater perhaps when, and so does an
    answer that is no OrderAnswer: the back office may have the order already, and recognises it by
    its id. An adapter limits the time of its own calls; a thread that it holds longer than the
    lease is replaced.
    """

    def __init__(
        self,
        adapter: BackOffice,
        tickets_of: TicketsOf = lambda _message: (None, None),
        clock: MachineClock | None = None,
    ) -> None:
        """Prepare to pass orders to `adapter`, each with the tickets that it is about."""
        self._adapter = adapter
        self._tickets_of = tickets_of
        self._clock = clock or SystemMachineClock()

    def send(self, message: Message, seconds: float) -> Reply:  # noqa: ARG002 - see the class
        """Pass the order on once; the reply carries the adapter's answer for the hooks."""
        order = WorkOrder.from_body(message.uuid, message.body)
        try:
            # The first order about a problem is what makes its ticket.
            if order.kind is not Operation.PROBLEM:
                ticket, change_ticket = self._tickets_of(message)
                order = replace(order, ticket=ticket, change_ticket=change_ticket)
            # An adapter logs lines of its own.
            with bind(**ids_of(message)):
                answer = self._adapter.submit(order)
        except OrderRefused as refusal:
            said = {"messages": [str(refusal)[:MESSAGE_MAX]]}
            return Reply(Meaning.REFUSED, "refused by the back office", refusal=said)
        except TryLater as error:
            wait = seconds_to_wait(error.retry_after, self._clock.now())
            why = str(error)[:MESSAGE_MAX]
            unknown = error.status is None or error.status >= 500  # of a 429 nothing was taken
            return Reply(Meaning.FAILED, why, error.status, unknown=unknown, retry_after=wait)
        except Exception as error:
            log.warning("work-order.failed", kind=order.kind, exc_info=True, **ids_of(message))
            return Reply(Meaning.FAILED, f"the adapter failed: {in_words(error)}", unknown=True)
        return _reply_to(answer, message)


def _reply_to(answer: object, message: Message) -> Reply:
    """Return what an adapter's answer means, whatever it returned."""
    if not isinstance(answer, OrderAnswer):
        # One that forgets its return may have done nothing.
        why = f"the adapter failed: submit returned {type(answer).__name__}, not an OrderAnswer"
        log.warning("work-order.failed", kind=message.kind, cause=why, **ids_of(message))
        return Reply(Meaning.FAILED, why, unknown=True)
    # Of people nobody has taken it yet.
    taken = "left to people" if answer.for_people else "taken"
    return Reply(Meaning.ACCEPTED, taken, answer=answer)
