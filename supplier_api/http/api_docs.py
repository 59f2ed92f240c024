"""The page /docs: Swagger UI over /openapi.json, without anything from elsewhere.

Its files are those of the npm package swagger-ui-dist (`swagger_ui/README.txt` says which). No
script stands in the page, so that its Content-Security-Policy can forbid all but our own files.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path

from flask import Blueprint, Flask, Response, send_from_directory

FILES = Path(__file__).parent / "swagger_ui"
SPEC = "/openapi.json"
CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
HELP = "Authorize asks for a token, with the id and the secret of a client of yours."
KNOWN_HELP = (
    "This is a sandbox. A call gets a token of a client whose secret everybody knows ({}), by its"
    " path; Authorize puts one of yours in its place."
)
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div class="swagger-ui"><div class="wrapper"><p>{help}</p></div></div>
<div id="swagger-ui" data-spec="{spec}" data-clients="{clients}"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/start.js"></script>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class TryClient:
    """A client whose secret everybody knows: calls to paths that begin so are made as this one."""

    path: str
    id: str
    secret: str = field(repr=False)
    tokenUrl: str  # noqa: N815 - as the page's script reads it


def show_docs(app: Flask, title: str, clients: Sequence[TryClient] = ()) -> None:
    """Add the page to `app`, which serves its description at SPEC.

    `clients` are tried in their order. They stand in the page for anybody to read.
    """
    docs = Blueprint("docs", __name__)
    known = json.dumps([asdict(client) for client in clients])
    names = ", ".join(client.id for client in clients)
    page = PAGE.format(
        title=escape(title),
        spec=SPEC,
        clients=escape(known),
        help=escape(KNOWN_HELP.format(names) if clients else HELP),
    )

    @docs.get("/docs")
    def show_page() -> Response:
        """Return the page."""
        return Response(page, content_type="text/html; charset=utf-8")

    @docs.get("/docs/assets/<path:name>")
    def show_file(name: str) -> Response:
        """Return a file of Swagger UI."""
        return send_from_directory(FILES, name)

    docs.after_request(guard)
    app.register_blueprint(docs)


def guard(response: Response) -> Response:
    """Let a browser run nothing but what we serve, and take it for nothing else."""
    response.headers.update({**HEADERS, "Content-Security-Policy": CSP})
    return response
