"""Parts of pages that follow what happens: the browser asks every second, and mostly gets 204.

It asks for a part that is kept for longer as seldom as that is made anew.

An answer is 204 while the database is as it was when the part was made, or the part would look the
same. What is made is kept for all browsers that ask for the same, so that ten of them cost one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from threading import Lock

from flask import Response, current_app, request
from markupsafe import Markup

from supplier_api.console.access import person
from supplier_api.console.context import here

SEEN = "seen"  # the parameter that says what the browser shows
ASKED = 1.0  # seconds between two questions of a browser
KEPT = 256  # parts
_PARTS = "console-live"


@dataclass(frozen=True, slots=True)
class _Part:
    """A part as it was made, at a state of the database; `digest` is that of its text.

    `made` is when, `due` when it is next made anew if that has changed: monotonic, in seconds.
    """

    state: str
    digest: str
    html: str
    made: float
    due: float


class LiveParts:
    """The parts made last; used by several threads at once."""

    def __init__(self) -> None:
        """Begin with none."""
        self._parts: dict[tuple[str, str], _Part] = {}
        self._lock = Lock()

    def get(
        self,
        key: tuple[str, str],
        state: str,
        render: Callable[[], str],
        now: float,
        keep: float,
        *,
        anew: bool,
    ) -> _Part:
        """Return a part, made now if it is not kept, or if `anew`.

        It is kept while the state of the database stands, and for `keep` seconds in any case. Who
        asks while it is made gets the one before.
        """
        with self._lock:
            kept = self._parts.get(key)
            if kept and not anew:
                if kept.state == state or now < kept.due:
                    return kept
                self._parts[key] = replace(kept, due=now + keep)
        html = render()
        digest = blake2b(html.encode(), digest_size=9).hexdigest()
        made = _Part(state, digest, html, now, now + keep)
        with self._lock:
            later = self._parts.pop(key, None)
            if later and later.made > now:
                made = later
            elif len(self._parts) >= KEPT:
                del self._parts[next(iter(self._parts))]
            self._parts[key] = made
        return made


def install(extensions: dict[str, object]) -> None:
    """Keep parts for an application."""
    extensions[_PARTS] = LiveParts()


def region(name: str, url: str, render: Callable[[], str], keep: float = 0.0) -> Markup:
    """Return a part of a page with the address that the browser asks for news of it.

    `name` is its id in the page. The view at `url` returns `answer` of the same two. The part may
    be up to `keep` seconds old.
    """
    # The state is a moment old: who has just acted would see the page as it was before.
    part = _part(url, render, max(keep, ASKED), anew=not keep)
    return _wrapped(name, url, part, keep)


def answer(name: str, url: str, render: Callable[[], str], keep: float = 0.0) -> Response:
    """Return what a browser gets that asks for news: the part, or 204 if it shows that already.

    However much is committed, a part is made once a second, or in `keep` seconds, for all.
    """
    part = _part(url, render, max(keep, ASKED), anew=False)
    if request.args.get(SEEN) == part.digest:
        return Response(status=204)
    return Response(_wrapped(name, url, part, keep), content_type="text/html; charset=utf-8")


def _part(url: str, render: Callable[[], str], keep: float, *, anew: bool) -> _Part:
    parts: LiveParts = current_app.extensions[_PARTS]
    services = here().services
    key, now = (url, person().role), services.machine.monotonic()
    return parts.get(key, services.store.state(), render, now, keep, anew=anew)


def _wrapped(name: str, url: str, part: _Part, keep: float) -> Markup:
    asks = f"{url}{'&' if '?' in url else '?'}{SEEN}={part.digest}"
    inner = Markup(part.html)  # noqa: S704 - it is made by our own templates
    return Markup(
        '<div id="{}" class="live" hx-get="{}" hx-trigger="every {}s" hx-swap="outerMorph">{}</div>'
    ).format(name, asks, round(max(keep, ASKED)), inner)
