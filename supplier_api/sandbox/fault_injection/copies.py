"""What the sandbox sends to a gateway on purpose: copies of KCIs, and which calls go wrong."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from supplier_api.delivery.answers import GatewayAnswer
from supplier_api.delivery.model import Reply
from supplier_api.delivery.transports import GatewayTransport, TokenAccount
from supplier_api.http_client.watchdog import TimedCall
from supplier_api.outbox.model import Message

_why: ContextVar[Mapping[str, Any] | None] = ContextVar("supplier_api_on_purpose", default=None)


@contextmanager
def on_purpose(why: Mapping[str, Any] | None) -> Iterator[None]:
    """Have testers shown `why` for the calls that this thread makes in the block."""
    token = _why.set(why)
    try:
        yield
    finally:
        _why.reset(token)


def purpose() -> Mapping[str, Any] | None:
    """Return what testers are shown of this thread's current call; None if nothing is wrong."""
    return _why.get()


@dataclass(frozen=True, slots=True)
class Copy:
    """Something that is sent besides a KCI.

    `body` is sent with what `token` makes of our token (None for no token). `why` is what testers
    are shown of it; `number` distinguishes it from others that are sent with the same KCI.
    """

    body: bytes
    why: Mapping[str, Any]
    number: int = 1
    token: Callable[[str], str | None] = str


class CopyingTransport(GatewayTransport):
    """The gateway's transport, which can also send copies."""

    def send_copy(self, message: Message, copy: Copy, seconds: float) -> Reply:
        """POST `copy` in the name of the KCI, once: a 401 is final."""

        def exchange(account: TokenAccount, call: TimedCall) -> GatewayAnswer:
            token = copy.token(account.tokens.current(call.left()))
            name = ("copy", message.uuid, len(message.log), copy.number)
            return self._post(account, message, copy.body, token, name, call)

        with on_purpose(copy.why):
            return self._within(message.tenant, seconds, exchange)
