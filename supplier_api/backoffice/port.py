"""The port to the supplier's back office, and how an adapter is found.

An adapter is a class with one method, `submit`. Each method of `Pings`, `Parses`, `Polls`, `Reads`
and `Comments` that it has besides switches a feature on. It may declare `kinds`, the work orders
that it wants; without, it gets DEFAULT_KINDS. It may declare `options`, a subclass of
AdapterOptions: what `[backoffice.options]` may say; checked, it is the `options` of the settings
that the adapter is made with. It is published under the entry point group
`supplier_api.backoffice`, and `backoffice.adapter` in the settings names it.

Everything that an adapter's author needs can be imported from here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import entry_points
from traceback import extract_tb
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from supplier_api.logging import SafeToLog, get_logger
from supplier_api.problems.snapshot import (
    EPOCH,
    ChangeDecision,
    Snapshot,
    TicketState,
    Wanted,
    version_from,
)
from supplier_api.problems.work import (
    DEFAULT_KINDS,
    ORDER_KINDS,
    BackOfficeEvent,
    Cause,
    LaterEvent,
    Notice,
    OrderAnswer,
    OrderKind,
    WorkOrder,
)
from supplier_api.rules.model import Operation
from supplier_api.settings.model import AdapterOptions, BackOfficeSettings

__all__ = [
    "DEFAULT_KINDS",
    "EPOCH",
    "ORDER_KINDS",
    "AdapterOptions",
    "BackOffice",
    "BackOfficeEvent",
    "BackOfficeSettings",
    "Cause",
    "ChangeDecision",
    "Comments",
    "LaterEvent",
    "Notice",
    "OrderAnswer",
    "OrderKind",
    "OrderRefused",
    "Parses",
    "Pings",
    "Polls",
    "Reads",
    "Snapshot",
    "TicketState",
    "TryLater",
    "UnknownAdapter",
    "Wanted",
    "WorkOrder",
    "declared_kinds",
    "load_adapter",
    "published_adapters",
    "version_from",
    "wanted_kinds",
]

GROUP = "supplier_api.backoffice"
log = get_logger(__name__)


class BackOffice(Protocol):
    """The port through which delivery sends work orders to the supplier's systems."""

    def submit(self, order: WorkOrder) -> OrderAnswer:
        """Submit a work order; called outside transactions, one order of a problem at a time.

        The same `order.id` may come again after a failure and must then have no second effect.
        Raises OrderRefused when the order is refused for good; any other exception leads to a
        retry, TryLater to one when the back office says so. So does an answer of another type:
        nothing is known of the order then.
        """


@runtime_checkable
class Pings(Protocol):
    """An adapter that can show that its system is there."""

    def ping(self) -> str:
        """Call the system without any effect there; return a few words for operators.

        Raises any error on the way. `supplier-api doctor --connect` calls it.
        """


@runtime_checkable
class Parses(Protocol):
    """An adapter whose system sends webhooks."""

    def parse(self, headers: Mapping[str, str], body: bytes) -> list[Snapshot]:
        """Return what a webhook says about tickets; an empty list if it concerns none of ours.

        Header names are in lower case. Called by the worker, and again after a failure. Raises
        ValueError for a body that will never be understood.
        """


@runtime_checkable
class Polls(Protocol):
    """An adapter whose system can be asked what has changed."""

    def changed(self, since: datetime) -> Iterable[Snapshot]:
        """Return the tickets that changed at `since` (UTC) or later; more than those do no harm."""


@runtime_checkable
class Reads(Protocol):
    """An adapter that can look at a single ticket."""

    def read(self, ticket: str) -> Snapshot | None:
        """Return what a ticket is now; None if there is no such ticket."""


@runtime_checkable
class Comments(Protocol):
    """An adapter that can write into a ticket for the people who work on it."""

    def comment(self, ticket: str, text: str) -> None:
        """Add a comment to a ticket. The same comment may come twice."""


class OrderRefused(Exception):
    """The back office refuses the order for good.

    The text is kept for operators and shown to them: a code or a short reason, nothing personal.
    """


class TryLater(Exception):
    """The back office takes nothing now, and may have said for how long.

    The text is kept for operators and shown to them: short, nothing personal. `retry_after` is the
    header Retry-After as it came, seconds or a date; `status` the status of HTTP.
    """

    def __init__(
        self, reason: str, retry_after: str | None = None, status: int | None = None
    ) -> None:
        """Keep what was answered."""
        self.retry_after, self.status = retry_after, status
        super().__init__(reason)


class UnknownAdapter(Exception):
    """There is no adapter of the name in the settings, or none that can be used.

    The text says why, for operators, and nothing of the settings' values.
    """


Factory = Callable[[BackOfficeSettings], BackOffice]


def load_adapter(
    settings: BackOfficeSettings, others: Mapping[str, Factory] = MappingProxyType({})
) -> BackOffice:
    """Return the adapter that the settings name, one of those published or of `others`.

    Raises UnknownAdapter: with the names there are, or why that one cannot be used.
    """
    published = entry_points(group=GROUP)
    if settings.adapter in others:
        return others[settings.adapter](settings)
    if settings.adapter not in published.names:
        names = ", ".join(sorted({*published.names, *others})) or "(none is installed)"
        raise UnknownAdapter(
            f"backoffice.adapter: {settings.adapter} is not published; expected one of: {names}"
        )
    with _usable(settings.adapter):
        factory: Factory = published[settings.adapter].load()
        declared_kinds(settings.adapter, factory)
        adapter = factory(settings)
    if not callable(getattr(adapter, "submit", None)):
        raise UnknownAdapter(f"backoffice.adapter: {settings.adapter} has no method submit")
    return adapter


@contextmanager
def _usable(name: str) -> Iterator[None]:
    """Say of an adapter's own failure what it is and where, as its text may hold a secret."""
    try:
        yield
    except UnknownAdapter:
        raise
    except Exception as error:
        if isinstance(error, SafeToLog | ImportError | SyntaxError):
            why = str(error)
        else:
            at = extract_tb(error.__traceback__)[-1]
            why = f"{type(error).__name__} at {at.filename}:{at.lineno}"
        text = f"backoffice.adapter: {name} cannot be used: {why}"
        raise UnknownAdapter("\n  ".join(text.splitlines())) from error


def published_adapters() -> list[str]:
    """Return the names of the adapters that are installed."""
    return sorted(entry_points(group=GROUP).names)


def wanted_kinds(settings: BackOfficeSettings) -> frozenset[OrderKind]:
    """Return the kinds of work orders that the adapter in the settings wants; it is not made.

    An adapter that is not published, as those of the sandbox, gets DEFAULT_KINDS; so does one that
    cannot be loaded, which stops the worker. Raises UnknownAdapter for one that names a kind that
    there is not, or does not want `problem`.
    """
    published = entry_points(group=GROUP)
    if settings.adapter not in published.names:
        return DEFAULT_KINDS
    try:
        factory: Factory = published[settings.adapter].load()
    except Exception:
        log.warning("adapter.not-loaded", adapter=settings.adapter, exc_info=True)
        return DEFAULT_KINDS
    return declared_kinds(settings.adapter, factory)


def declared_kinds(name: str, factory: Factory) -> frozenset[OrderKind]:
    """Return the kinds that the class of an adapter wants; raises UnknownAdapter, as above."""
    declared = frozenset(getattr(factory, "kinds", DEFAULT_KINDS))
    if unknown := declared - frozenset(ORDER_KINDS):
        kinds = ", ".join(ORDER_KINDS)
        raise UnknownAdapter(
            f"backoffice.adapter: {name} wants orders of the kind {min(unknown)};"
            f" expected some of: {kinds}"
        )
    if Operation.PROBLEM not in declared:
        raise UnknownAdapter(f"backoffice.adapter: {name} must want orders of the kind problem")
    return frozenset(kind for kind in ORDER_KINDS if kind in declared)
