"""What an application can say about the connection that its answer leaves by."""

from contextlib import closing
from typing import Any

from supplier_api.http.wsgi import NO_ANSWER
from tests.serving import Caller, served


def test_an_answer_shorter_than_it_says_ends_with_the_connection() -> None:
    def broken(_: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "10"), ("Connection", "close")])
        return [b"{"]

    def none(_: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [NO_ANSWER])
        return []

    for application, told in ((broken, b"{"), (none, b"")):
        with served(application) as server, closing(Caller(server.address[1])) as caller:
            said = caller.send("GET / HTTP/1.1", "Host: x").rest()
            assert said.partition(b"\r\n\r\n")[2] == told
