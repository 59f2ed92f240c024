"""The gateway transport: KCIs over HTTP (Supplier Updates API 1.8, POST /kcis)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from supplier_api.clock import MachineClock
from supplier_api.delivery.answers import GatewayAnswer, Terms, read_answer, reply_for
from supplier_api.delivery.posting import NETWORK_ERRORS, Observer, Post, error_cause, send
from supplier_api.delivery.token_client import fetch_grant
from supplier_api.delivery.transport import Meaning, Reply
from supplier_api.http_client.grants import BY_FORM, NoTokenError, TokenGrant, TokenTerms
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.tokens import SharedToken
from supplier_api.http_client.watchdog import TimedCall, Watchdog
from supplier_api.ids import Chance
from supplier_api.outbox.model import Message


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """The gateway's URLs, our credentials there, how to ask for a token, and how it answers."""

    kci_url: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    answers: Terms
    token_terms: TokenTerms = BY_FORM


@dataclass(frozen=True, slots=True)
class Copy:
    """Something that a sandbox sends in a KCI's stead, or besides it, on purpose.

    `body` is sent with what `token` makes of our token (None for no token). `why` is what testers
    are shown of it; `number` distinguishes it from others that are sent with the same KCI.
    """

    body: bytes
    why: Mapping[str, Any]
    number: int = 1
    token: Callable[[str], str | None] = str


# Returns headers to send with a KCI besides the published ones.
Label = Callable[[Message], Mapping[str, str]]
# Where a tenant's KCIs go, if to a gateway of its own.
OwnAddress = Callable[[str], GatewayAddress | None]


@dataclass(frozen=True, slots=True)
class _TokenAccount:
    """A gateway and the access token that it has issued to us."""

    address: GatewayAddress
    tokens: SharedToken


class GatewayTransport:
    """Sends KCIs to the gateway."""

    def __init__(
        self,
        address: GatewayAddress,
        sessions: Sessions,
        watchdog: Watchdog,
        clock: MachineClock,
        chance: Chance,
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
        self._chance = chance
        self._own_address = own_address
        self._observer = observer
        self._label = label
        self._shared = self._open(address)
        self._opened: dict[GatewayAddress, _TokenAccount] = {}

    def send(self, message: Message, seconds: float, why: Mapping[str, Any] | None = None) -> Reply:
        """POST the KCI exactly as stored, with a token, within `seconds` in all.

        After a first 401 the KCI is sent once more, at once, with a new token; so it is after a
        403, or a second 401, to a token that was fetched before this call. `why` is shown to
        testers for a call that goes wrong on purpose.
        """
        return self._within(
            message, seconds, lambda account, call: self._exchange(account, message, call, why)
        )

    def send_copy(self, message: Message, copy: Copy, seconds: float) -> Reply:
        """POST `copy` in the name of the KCI, once: a 401 is final."""
        return self._within(
            message, seconds, lambda account, call: self._send_copy(account, message, copy, call)
        )

    def _within(
        self,
        message: Message,
        seconds: float,
        exchange: Callable[[_TokenAccount, TimedCall], GatewayAnswer],
    ) -> Reply:
        account = self._account(message.tenant)
        reply = self._reply(account, seconds, exchange)
        return reply if account is self._shared else replace(reply, counts=False)

    def _reply(
        self,
        account: _TokenAccount,
        seconds: float,
        exchange: Callable[[_TokenAccount, TimedCall], GatewayAnswer],
    ) -> Reply:
        with self._watchdog.limit(seconds) as call:
            try:
                return reply_for(exchange(account, call), account.address.answers)
            except NoTokenError as error:
                return Reply(Meaning.TROUBLE, str(error))
            except NETWORK_ERRORS as error:
                # It may have arrived, and only the answer be lost.
                return Reply(Meaning.TROUBLE, error_cause(error, call), unknown=True)

    def _account(self, tenant: str) -> _TokenAccount:
        own = self._own_address and self._own_address(tenant)
        if not own:
            return self._shared
        # Two threads may open it at once: the first one's is used by both.
        return self._opened.get(own) or self._opened.setdefault(own, self._open(own))

    def _open(self, address: GatewayAddress) -> _TokenAccount:
        def fetch(patience: float) -> TokenGrant:
            return fetch_grant(address, self._sessions, self._watchdog, patience, self._observer)

        return _TokenAccount(address, SharedToken(fetch, self._clock))

    def _exchange(
        self,
        account: _TokenAccount,
        message: Message,
        call: TimedCall,
        why: Mapping[str, Any] | None,
    ) -> GatewayAnswer:
        # The log only grows; the attempts are counted anew when an operator replays a message.
        body, name = message.body.encode(), ("attempt", message.uuid, len(message.log))
        tokens, asked = account.tokens, self._clock.monotonic()
        token = tokens.current(call.left())
        answer = self._answer(self._post(account, message, body, token, (*name, False), why), call)
        for tried in (True, 2):  # True is how the first one has always been named
            old = tokens.is_older(token, asked)
            if not _wants_another_token(answer.status, first=tried is True, old=old):
                break
            asked = self._clock.monotonic()
            token = tokens.instead_of(token, call.left())
            post = self._post(account, message, body, token, (*name, tried), why)
            answer = self._answer(post, call)
        return answer

    def _send_copy(
        self, account: _TokenAccount, message: Message, copy: Copy, call: TimedCall
    ) -> GatewayAnswer:
        token = copy.token(account.tokens.current(call.left()))
        name = ("copy", message.uuid, len(message.log), copy.number)
        return self._answer(self._post(account, message, copy.body, token, name, copy.why), call)

    def _post(
        self,
        account: _TokenAccount,
        message: Message,
        body: bytes,
        token: str | None,
        name: tuple[object, ...],
        why: Mapping[str, Any] | None,
    ) -> Post:
        """Return what is sent; its X-Request-ID follows from `name`, where ids are repeatable."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "X-Request-ID": str(self._chance.uuid(message.tenant, *name)),
            "X-Conversation-ID": message.conversation_id,
        }
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if self._label and account is self._shared:
            headers |= self._label(message)
        return Post(account.address.kci_url, headers, body, message, why)

    def _answer(self, post: Post, call: TimedCall) -> GatewayAnswer:
        answered = send(self._sessions, post, call, self._observer)
        return read_answer(answered, self._clock.now())


def _wants_another_token(status: int, *, first: bool, old: bool) -> bool:
    """Return whether a refusal may be the token's fault: an old token, or the first 401."""
    return (status == 401 and (first or old)) or (status == 403 and old)
