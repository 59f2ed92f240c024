"""A supplier on loopback that answers what a test tells it to, and remembers what it was asked."""

import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Request, Response

from tests.serving import served, url_of

Document = dict[str, Any]
Answer = Callable[[Document], Response]


def answer(status: int, document: object = None) -> Response:
    body = b"" if document is None else json.dumps(document).encode()
    return Response(body, status, content_type="application/json")


def echo(status: str = "ACKNOWLEDGED", **changed: Any) -> Answer:
    """Return an answer 201 as *supplier-create* has it."""

    def build(request: Document) -> Response:
        more = {"status": status, "supplierReference": "SP_7K2M9QX4", **changed}
        return answer(201, request | more)

    return build


def applied(status: int = 201, **changed: Any) -> Answer:
    """Return an answer to an amendment or a cancellation: 201, or 202 for later."""

    def build(request: Document) -> Response:
        return answer(status, {"supplierReference": "SP_CHANGE_1", **request, **changed})

    return build


def error(status: int, code: str, *messages: str) -> Answer:
    """Return an error in the published envelope."""
    uuid = "87432dfb-2e47-4532-a1b7-4b113d48867d"
    return lambda _: answer(status, {"uuid": uuid, "code": code, "messages": list(messages)})


@dataclass
class Seen:
    """A request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Document:
        read: Document = json.loads(self.body)
        return read


@dataclass
class SupplierStub:
    """Answers with `answers`, one after the other; then a problem with 201 ACKNOWLEDGED.

    A GET gets one of `documents`.
    """

    answers: list[Answer] = field(default_factory=list)
    tokens: list[Response] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    token_requests: list[Seen] = field(default_factory=list)
    documents: dict[str, Response] = field(default_factory=dict)
    url: str = ""

    def start(self) -> Callable[[], None]:
        """Listen on a free port; return what stops it."""
        stack = ExitStack()
        self.url = url_of(stack.enter_context(served(self._application)))
        return stack.close

    @property
    def request(self) -> Seen:
        """The only request that came in."""
        (only,) = self.seen
        return only

    @property
    def last(self) -> Seen:
        """The last request that came in."""
        return self.seen[-1]

    def _application(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        seen = Seen(request.method, request.path, dict(request.headers.items()), request.get_data())
        if request.method == "GET":
            response = self.documents[request.path]
        elif request.path == "/oauth2/token":
            response = self._token(seen)
        else:
            self.seen.append(seen)
            build = self.answers.pop(0) if self.answers else echo()
            response = build(seen.document)
        return response(environ, start_response)

    def _token(self, seen: Seen) -> Response:
        self.token_requests.append(seen)
        if self.tokens:
            return self.tokens.pop(0)
        return answer(
            200, {"access_token": f"token-{len(self.token_requests)}", "expires_in": 3600}
        )
