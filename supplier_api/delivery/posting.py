"""One POST to a gateway and the beginning of its answer; an observer may watch it."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import requests
import urllib3

from supplier_api.http_client import tls
from supplier_api.http_client.failures import in_words, innermost
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.watchdog import TimedCall
from supplier_api.outbox.model import Message

BODY_LIMIT = 65_536  # bytes of an answer that are looked at
# What requests and urllib3 raise, and the system below them.
NETWORK_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


@dataclass(frozen=True, slots=True)
class Post:
    """What is sent to a gateway.

    `message` is the message it is sent for, None for a token request. `why` is shown to testers
    for something that is sent, or goes wrong, on purpose.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    message: Message | None = None
    why: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What the gateway answered, with the beginning of the body.

    `complete` is False if the body broke off; of that nothing is kept.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    complete: bool = True


class Observer(Protocol):
    """Watches calls. It must not raise, and what it does takes the time of the sending thread."""

    def begins(self, post: Post) -> Callable[[Answered | str], None]:
        """Note that a call begins; return a function to call with the answer, or the error."""


def send(
    sessions: Sessions,
    post: Post,
    call: TimedCall,
    observer: Observer | None,
    limit: int = BODY_LIMIT,
) -> Answered:
    """POST within the time of `call`, and read up to `limit` bytes of the answer's body.

    Raises one of NETWORK_ERRORS when no answer comes.
    """
    ends = observer.begins(post) if observer else None
    try:
        with sessions.post(
            post.url, data=post.body, headers=post.headers, read_timeout=call.left()
        ) as response:
            body = _body(response, limit)
            answered = Answered(
                response.status_code, response.headers, body or b"", complete=body is not None
            )
    except NETWORK_ERRORS as error:
        if ends:
            ends(error_cause(error, call))
        raise
    if ends:
        ends(answered)
    return answered


def error_cause(error: BaseException, call: TimedCall) -> str:
    """Return a name for the innermost cause of an error; its text may hold anything."""
    if call.left() == 0:
        return "no answer in time"
    error = innermost(error)
    words = in_words(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{words}, {tls.distrust(error)}"
    return words


def _body(response: requests.Response, limit: int) -> bytes | None:
    """Read the beginning of the body; None if it breaks off after the status line and headers."""
    try:
        body: bytes = response.raw.read(limit, decode_content=True)
    except NETWORK_ERRORS:
        return None
    return body
