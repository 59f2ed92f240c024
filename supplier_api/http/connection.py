"""One connection: parses its bytes into requests, one after the other, and writes the answers."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from supplier_api.http.wsgi import (
    CONTINUE,
    REFUSALS,
    Addresses,
    RawAnswer,
    ReceivedRequest,
)

if TYPE_CHECKING:
    from supplier_api.http.server import HttpServer

HEADERS_MAX = 65_536  # bytes of a request line and headers
HEADERS_SECONDS = 30.0  # from the end of the request before, so also for an idle connection
BODY_SECONDS = 10.0  # from complete headers to the last byte
# Up to this many bytes more of a body that is too long are read before it is refused: a caller that
# is still sending would not see the answer.
DISCARDED = 4_194_304
EARLY_MAX = 65_536  # bytes of further requests that are kept while one is being answered
PIPELINED = 16  # requests read at once from one connection
WRITE_SECONDS = 30.0  # for a caller to read some more of an answer
LINGER_SECONDS = 2.0  # for a caller to read the answer to a request it has not sent completely
HELD_MAX = 67_108_864  # bytes of all bodies that are read and not yet answered
NEVER = float("inf")


class HttpConnection(asyncio.Protocol):
    """Reads requests; each is passed on once it is complete and the one before is answered.

    All of it runs in the event loop's thread; other threads read only `gone`.
    """

    def __init__(self, server: "HttpServer") -> None:
        """Serve a connection of `server`."""
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._request: ReceivedRequest | None = None
        self._offered: ReceivedRequest | None = None  # one that offers to go on in another protocol
        self._chunks: list[bytes] = []
        self._header_bytes = 0
        # Complete requests, and whether another one may follow each.
        self._waiting: deque[tuple[ReceivedRequest, bool]] = deque()
        self._current: tuple[ReceivedRequest, bool] | None = None
        self._early = b""
        self._held = 0
        self._ended = False
        self._closing = False  # nothing is read any more; what is complete is still answered
        self._lingers = False  # the last answer was sent; what still arrives is discarded
        self._unsent = 0
        self._transport: asyncio.Transport
        self.deadline = NEVER
        self.gone = False

    # -- called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)
        # A caller that has already disconnected has no address.
        peer = transport.get_extra_info("peername") or ("", 0)
        self.addresses = Addresses(peer[:2], self._server.address)
        self._server.opened(self)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Note that nobody waits for an answer any more."""
        self.gone = True
        self._waiting.clear()
        self._hold(-self._held)
        self._server.closed(self)

    def data_received(self, data: bytes) -> None:
        """Parse the bytes, unless a request is being answered: then they wait."""
        if self._lingers:
            return
        if not self._current and not self._unsent:
            self._feed(data)
            return
        self._early += data
        if len(self._early) > EARLY_MAX:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Return whether to stay open for an answer: the caller may only have stopped sending."""
        self._ended = True
        return self._current is not None

    def pause_writing(self) -> None:
        """Note that the caller reads an answer more slowly than it is written."""
        self._unsent = self._transport.get_write_buffer_size()
        self.deadline = self._server.clock.monotonic() + WRITE_SECONDS

    def resume_writing(self) -> None:
        """Go on when the whole answer is sent: not before, or answers would pile up."""
        self._unsent = 0
        if self._lingers:
            self._linger()
        elif not self._current:
            self._go_on()

    # -- called by the parser

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._request = None if self._closing else ReceivedRequest()

    def on_url(self, url: bytes) -> None:
        """Append to the request target."""
        if self._request:
            self._request.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header."""
        if self._request:
            self._request.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Wait for the body, if there is one, for BODY_SECONDS."""
        request = self._request
        if request is None:
            return
        self._header_bytes = 0
        if self._parser.should_upgrade():
            self._offered, self._request = request, None
            return
        request.method = self._parser.get_method().decode("ascii")
        request.version = self._parser.get_http_version()
        request.headers_at = self._server.clock.monotonic()
        self._set_deadline()
        if (b"expect", b"100-continue") in request.headers and not self._current:
            self._transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body, unless it is too long."""
        request = self._request
        if request is None:
            return
        request.length += len(body)
        if request.length <= self._server.max_body:
            self._keep(body)
            return
        self._forget_chunks()
        if request.length > self._server.max_body + DISCARDED:
            # It is answered without the rest: that it is too long is known.
            self._complete(request, keep_alive=False)
            self._closing = True

    def on_message_complete(self) -> None:
        """Have the request answered."""
        if self._request:
            self._complete(self._request, keep_alive=self._parser.should_keep_alive())

    # -- called by the server

    def answer(self, answer: RawAnswer) -> None:
        """Send the answer to the current request, and go on with the next one."""
        assert self._current
        request, keep_alive = self._current
        self._current = None
        if self.gone:
            return
        self._hold(-len(request.body))
        if answer.cut:
            self._transport.abort()
            return
        last = answer.close or not keep_alive or self._ended or self._server.stopping
        self._send(answer, request.method, close=last)
        if not last and not self._unsent:
            self._go_on()

    def stop(self) -> None:
        """Take no further request; a complete one is still answered."""
        if self._current:
            return
        if self._request:
            self._refuse("stopping")
        else:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, even if an answer is not sent yet."""
        self._transport.abort()

    def overdue(self) -> None:
        """Act on a deadline that has passed."""
        if self._current:
            return
        if self._unsent:
            left = self._transport.get_write_buffer_size()
            if left < self._unsent:
                self._unsent = left
                self.deadline = self._server.clock.monotonic() + WRITE_SECONDS
                return
        if self._unsent or self._lingers or not self._request:
            self._transport.abort()
        else:
            self._refuse("too-slow")

    @property
    def ended(self) -> bool:
        """Whether the caller sends nothing more, and may have gone."""
        return self.gone or self._ended

    @property
    def idle(self) -> bool:
        """Whether no answer has to be sent."""
        return not self._current and not self._transport.get_write_buffer_size()

    # -- helpers

    def _keep(self, body: bytes) -> None:
        """Keep a part of the body, if the limit for all bodies allows it."""
        if self._server.held + len(body) > HELD_MAX:
            self._request = None
            self._forget_chunks()
            self._refuse_behind("queue-full")
            return
        self._hold(len(body))
        self._chunks.append(body)

    def _forget_chunks(self) -> None:
        self._hold(-sum(map(len, self._chunks)))
        self._chunks.clear()

    def _hold(self, size: int) -> None:
        self._held += size
        self._server.held += size

    def _feed(self, data: bytes) -> None:
        """Have the parser read some bytes; refuse what it cannot parse."""
        self._header_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline(data[upgrade.args[0] :])
            return
        except httptools.HttpParserCallbackError:
            raise  # it is a bug of ours
        except httptools.HttpParserError:
            self._refuse_behind("unreadable")
        if self._request is None:
            self._header_bytes = 0
        elif not self._request.headers_at and self._header_bytes > HEADERS_MAX:
            self._refuse_behind("headers-too-long")

    def _decline(self, rest: bytes) -> None:
        """Parse a request again without the Upgrade to another protocol that it offers.

        The parser takes all that follows its headers (`rest`), a body too, for that protocol.
        """
        method, request = self._parser.get_method(), self._offered
        if request is None or method == b"CONNECT":
            self._refuse_behind("unreadable")
            return
        lines = [b"%b %b HTTP/1.1" % (method, request.target)]
        lines += [b"%b: %b" % header for header in request.headers if header[0] != b"upgrade"]
        self._offered = None
        self._parser = httptools.HttpRequestParser(self)
        self._feed(b"\r\n".join([*lines, b"", rest]))

    def _complete(self, request: ReceivedRequest, *, keep_alive: bool) -> None:
        self._request = None
        self._header_bytes = 0
        request.body = b"".join(self._chunks)
        self._chunks.clear()
        keep_alive = keep_alive and request.version == "1.1"
        request.arrived_at = self._server.clock.monotonic()
        if not self._current:
            self._begin(request, keep_alive=keep_alive)
        elif len(self._waiting) < PIPELINED:
            self._waiting.append((request, keep_alive))
        else:
            self._closing = True

    def _begin(self, request: ReceivedRequest, *, keep_alive: bool) -> None:
        self.deadline = NEVER
        self._current = request, keep_alive
        if not self._server.run(self, request):
            self._server.refused("queue-full")
            self.answer(REFUSALS["queue-full"])

    def _go_on(self) -> None:
        """Take the next request, as far as it has arrived."""
        if self._waiting:
            request, keep_alive = self._waiting.popleft()
            self._begin(request, keep_alive=keep_alive)
        elif self._closing:
            self._transport.close()
        else:
            self._set_deadline()
            if self._early:
                data, self._early = self._early, b""
                self._transport.resume_reading()
                self._feed(data)

    def _set_deadline(self) -> None:
        """Limit the wait for the rest of a body, or else for the headers of a request."""
        if not self._current:
            half = self._request is not None and self._request.headers_at
            seconds = BODY_SECONDS if half else HEADERS_SECONDS
            self.deadline = self._server.clock.monotonic() + seconds

    def _refuse_behind(self, why: str) -> None:
        """Refuse what follows the current request, if there is one, after its answer."""
        if self._current:
            self._closing = True
        else:
            self._refuse(why)

    def _refuse(self, why: str) -> None:
        """Answer a request that is not complete, and read no more of it."""
        self._server.refused(why)
        self._request = None
        self._closing = True
        self._send(REFUSALS[why], "", close=True)

    def _send(self, answer: RawAnswer, method: str, *, close: bool) -> None:
        self._transport.write(self._server.writer.write(answer, method, close=close))
        if close and self._closing and not self._ended:
            # If it were closed with unread bytes it would be reset, and the answer lost.
            self._lingers = True
            self._early = b""
            self._linger()
            self._transport.resume_reading()
            self._transport.write_eof()
        elif close:
            self._transport.close()

    def _linger(self) -> None:
        if not self._unsent:
            self.deadline = self._server.clock.monotonic() + LINGER_SECONDS
