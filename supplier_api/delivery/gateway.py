"""The gateway courier: KCIs over HTTP (Supplier Updates API 1.8, POST /kcis)."""

import re
from dataclasses import dataclass, field

import orjson
import requests
import urllib3

from supplier_api.chance import Chance
from supplier_api.clock import MachineClock
from supplier_api.delivery.answers import Answer, read_answer, reply_for
from supplier_api.delivery.reply import Meaning, Reply
from supplier_api.delivery.sessions import Sessions
from supplier_api.delivery.tokens import Grant, NoTokenError, Tokens
from supplier_api.delivery.watchdog import Call, Watchdog
from supplier_api.store.claims import Message

BODY_LIMIT = 65_536  # bytes of an answer that are looked at
TOKEN_SECONDS = 10.0  # for the whole call to the token endpoint
TOKEN_LIFETIME = 3600.0  # seconds, where the token endpoint does not say
# What requests and urllib3 raise, and the system below them.
NETWORK_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """Where the gateway is, who we are to it, and how it words that it has a KCI already."""

    kci_url: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    already_received: re.Pattern[str]


class GatewayCourier:
    """Sends KCIs to the gateway."""

    def __init__(
        self,
        address: GatewayAddress,
        sessions: Sessions,
        watchdog: Watchdog,
        clock: MachineClock,
        chance: Chance,
    ) -> None:
        """Prepare to send to `address`."""
        self._address = address
        self._sessions = sessions
        self._watchdog = watchdog
        self._clock = clock
        self._chance = chance
        self._tokens = Tokens(self._fetch_token, clock)

    def send(self, message: Message, seconds: float) -> Reply:
        """POST the KCI exactly as stored, with a token, within `seconds` in all.

        A first 401 is answered with a new token, at once and once.
        """
        with self._watchdog.limit(seconds) as call:
            try:
                answer = self._exchange(message, call)
                return reply_for(answer, self._address.already_received)
            except NoTokenError as error:
                return Reply(Meaning.TROUBLE, str(error))
            except NETWORK_ERRORS as error:
                # It may have arrived, and only the answer be lost.
                return Reply(Meaning.TROUBLE, _told(error, call), unknown=True)

    def _exchange(self, message: Message, call: Call) -> Answer:
        token = self._tokens.current(call.left())
        answer = self._post(message, token, call)
        if answer.status == 401:
            token = self._tokens.instead_of(token, call.left())
            answer = self._post(message, token, call)
        return answer

    def _post(self, message: Message, token: str, call: Call) -> Answer:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "X-Request-ID": str(self._chance.uuid(message.tenant)),
            "X-Conversation-ID": message.conversation_id,
        }
        with self._sessions.post(
            self._address.kci_url,
            data=message.body.encode(),
            headers=headers,
            read_timeout=call.left(),
        ) as response:
            retry_after = response.headers.get("Retry-After")
            return read_answer(
                response.status_code, retry_after, _body(response), self._clock.now()
            )

    def _fetch_token(self, patience: float) -> Grant:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._address.client_id,
            "client_secret": self._address.client_secret,
        }
        # A limit of its own, so that a silent token endpoint leaves time to use the old token.
        with self._watchdog.limit(min(patience, TOKEN_SECONDS)) as call:
            try:
                with self._sessions.post(
                    self._address.token_url,
                    data=form,
                    headers={"Accept": "application/json"},
                    read_timeout=call.left(),
                ) as response:
                    return _grant(response)
            except NETWORK_ERRORS as error:
                raise NoTokenError(f"token endpoint: {_told(error, call)}") from error


def _body(response: requests.Response) -> bytes:
    """Read the beginning of the body; whatever breaks there, the status has been said."""
    try:
        body: bytes = response.raw.read(BODY_LIMIT, decode_content=True)
    except NETWORK_ERRORS:
        return b""
    return body


def _grant(response: requests.Response) -> Grant:
    """Read the token endpoint's answer (RFC 6749, section 5.1)."""
    if response.status_code != 200:
        raise NoTokenError(f"token endpoint: {response.status_code}")
    try:
        document = orjson.loads(_body(response))
        token, expires_in = document["access_token"], document.get("expires_in", TOKEN_LIFETIME)
        lifetime = float(expires_in)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise NoTokenError("token endpoint: no token in its answer") from None
    usable = isinstance(token, str) and token.isascii() and token.isprintable()
    if not usable or not lifetime > 0:
        raise NoTokenError("token endpoint: no token in its answer")
    return Grant(token, lifetime)


def _told(error: BaseException, call: Call) -> str:
    """Name what went wrong by its innermost cause; its text may hold anything."""
    if call.left() == 0:
        return "no answer in time"
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return type(error).__name__
