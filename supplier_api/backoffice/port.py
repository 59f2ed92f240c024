"""The port to the supplier's back office, and how an adapter is found.

An adapter is a class with one method. It may have a second, `ping()`, which calls its system
without any effect there, returns a few words for operators and raises any error on the way:
`supplier-api doctor --connect` calls it. It is published under the entry point group
`supplier_api.backoffice`, and `backoffice.adapter` in the settings names it.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Protocol

from supplier_api.problems.work import OrderAnswer, WorkOrder
from supplier_api.settings.model import BackOfficeSettings

GROUP = "supplier_api.backoffice"


class BackOffice(Protocol):
    """The port through which delivery sends work orders to the supplier's systems."""

    def submit(self, order: WorkOrder) -> OrderAnswer:
        """Submit a work order; called outside transactions, one order of a problem at a time.

        The same `order.id` may come again after a failure and must then have no second effect.
        Raises OrderRefused when the order is refused for good; any other exception leads to a
        retry.
        """


class OrderRefused(Exception):
    """The back office refuses the order for good.

    The text is kept for operators and shown to them: a code or a short reason, nothing personal.
    """


class UnknownAdapter(Exception):
    """No adapter is published under the name in the settings."""


Factory = Callable[[BackOfficeSettings], BackOffice]


def load_adapter(
    settings: BackOfficeSettings, others: Mapping[str, Factory] = MappingProxyType({})
) -> BackOffice:
    """Return the adapter that the settings name, one of those published or of `others`.

    Raises UnknownAdapter with the names there are.
    """
    published = entry_points(group=GROUP)
    if settings.adapter in others:
        return others[settings.adapter](settings)
    if settings.adapter not in published.names:
        names = ", ".join(sorted({*published.names, *others})) or "(none is installed)"
        raise UnknownAdapter(
            f"backoffice.adapter: {settings.adapter} is not published; expected one of: {names}"
        )
    factory: Factory = published[settings.adapter].load()
    return factory(settings)
