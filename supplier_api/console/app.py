"""The console as a Flask application of its own, to be mounted at /console."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Flask, Response, g, redirect, render_template, request, url_for
from flask.globals import request_ctx
from flask_wtf.csrf import CSRFError, CSRFProtect
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from supplier_api.console import access, formats, live
from supplier_api.console.acts import ActRefused
from supplier_api.console.context import EXTENSION, ConsoleContext
from supplier_api.console.pages import PAGES, Page
from supplier_api.db import StoreUnavailable
from supplier_api.logging import get_logger

MOUNT = "/console"
MAX_FORM = 1 << 20  # bytes: a draft of a rule book
STATIC_SECONDS = 3600
CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Error:
    """What an error page says."""

    status: int
    title: str
    messages: Sequence[str]


def create_console(context: ConsoleContext, first: Sequence[Page] = ()) -> Flask:
    """Return the console; the pages `first` stand before its own. The first of all is its home."""
    app = Flask("supplier_api.console")
    app.config.update(
        SECRET_KEY=context.secret,
        SESSION_COOKIE_NAME="supplier_api_console",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=context.access.secure,
        MAX_CONTENT_LENGTH=MAX_FORM,
        MAX_FORM_MEMORY_SIZE=MAX_FORM,
        SEND_FILE_MAX_AGE_DEFAULT=STATIC_SECONDS,
        # A page may stay open for days; the token is good as long as its session.
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions[EXTENSION] = context
    access.guard(app, context.access)
    CSRFProtect(app)
    formats.install(app)
    live.install(app.extensions)
    pages = [*first, *PAGES]
    for blueprint in {page.blueprint.name: page.blueprint for page in pages}.values():
        app.register_blueprint(blueprint)
    _add_frame(app, context, pages)
    _add_errors(app)
    return app


def _add_frame(app: Flask, context: ConsoleContext, pages: Sequence[Page]) -> None:
    """Add what stands round every page."""
    home = Blueprint("home", __name__)

    @home.get("/")
    def show() -> AnyResponse:
        """Lead to the first page."""
        return redirect(url_for(pages[0].endpoint))

    @app.context_processor
    def frame() -> dict[str, object]:
        return {
            "pages": [page for page in pages if page.title],
            "environment": context.settings.environment,
            "profile": context.settings.profile,
            "person": g.get("person"),
            "may": access.may,
            "Role": access.Role,
            "signs_out": context.access.anybody is None,
        }

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    app.register_blueprint(home)


def _add_errors(app: Flask) -> None:
    @app.errorhandler(ActRefused)
    def refused(error: ActRefused) -> tuple[str, int]:
        return _error_page(_Error(error.status, "That was not done", error.messages))

    @app.errorhandler(CSRFError)
    def forged(error: CSRFError) -> tuple[str, int]:
        why = [f"{error.description} Open the page again, and send it from there."]
        if app.config["SESSION_COOKIE_SECURE"] and not request.is_secure:
            # The likeliest reason, as the browser drops the cookie without a word.
            why.append("Signing in takes https, or a browser on this machine, at 127.0.0.1.")
        return _error_page(_Error(400, "That was not done", why))

    @app.errorhandler(StoreUnavailable)
    def unavailable(error: StoreUnavailable) -> tuple[str, int]:
        return _error_page(_Error(503, "The database does not answer", [str(error)]))

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> tuple[str, int]:
        return _error_page(_Error(error.code or 500, error.name, [error.description or ""]))

    @app.errorhandler(Exception)
    def failed(error: Exception) -> tuple[str, int]:
        log.error("console.failed", exc_info=error)
        return _error_page(_Error(500, "This page failed", ["The log of this process says why."]))


def _error_page(error: _Error) -> tuple[str, int]:
    if request_ctx.url_adapter is None:
        # The Host is no name at all: no link of a page can be made.
        return error.title, error.status
    return render_template("error.html", error=error), error.status
