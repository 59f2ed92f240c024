"""Which fault, if any, strikes a call: asked for every call, in the sandbox profile only."""

from collections.abc import Callable
from dataclasses import dataclass

from supplier_api.clock import MachineClock
from supplier_api.faults.catalogue import BY_NAME
from supplier_api.faults.model import Fault, Kind, Place, is_struck
from supplier_api.observability import get_logger
from supplier_api.store import Store, StoreUnavailable
from supplier_api.store.faults import StoredFault

LOOK_SECONDS = 1.0  # that a look may take: every call waits for it
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Struck:
    """A call that a fault may strike; None for what it does not say of itself."""

    place: Place
    operation: str
    tenant: str | None
    conversation_id: str | None


def _any(_kind: Kind, _fault_id: int) -> bool:
    return True


class FaultsInForce:
    """The faults that are set, read from the database at every call."""

    def __init__(self, store: Store, machine: MachineClock) -> None:
        """Look into `store`; they end by machine time."""
        self._store = store
        self._machine = machine

    def next(self, call: Struck, fits: Callable[[Kind, int], bool] = _any) -> Fault | None:
        """Return the fault that strikes a call, the oldest if several would; None for none.

        `fits` is told kind and number of a fault that could strike it, and may let it pass without
        being counted. A call that one fault strikes is not counted under the others.
        """
        try:
            candidates = self._candidates(call, fits)
            return self._count(candidates) if candidates else None
        except StoreUnavailable as error:
            log.warning("faults.no-database", error=str(error))
            return None

    def stays(self, fault: Fault) -> bool:
        """Tell whether a fault is still set, be it used up or not; raises StoreUnavailable."""
        return self._store.read(lambda uow: uow.faults.exists(fault.id))

    def _candidates(
        self, call: Struck, fits: Callable[[Kind, int], bool]
    ) -> list[tuple[StoredFault, Kind]]:
        found = self._store.read(
            lambda uow: uow.faults.of(call.tenant, call.conversation_id),
            deadline=self._machine.monotonic() + LOOK_SECONDS,
        )
        if not found:
            return []
        now = self._machine.now()
        known = [(each, BY_NAME[each.direction, each.kind]) for each in found]
        return [
            (each, kind)
            for each, kind in known
            if kind.place is call.place
            and not each.is_over(now)
            and kind.strikes(call.operation, tuple(each.operations))
            and fits(kind, each.id)
        ]

    def _count(self, candidates: list[tuple[StoredFault, Kind]]) -> Fault | None:
        for each, kind in candidates:
            if self._strikes(each):
                log.info("fault.strikes", fault=each.id, kind=kind.name, tenant=each.tenant)
                return Fault(each.id, kind, each.parameters)
        return None

    def _strikes(self, each: StoredFault) -> bool:
        def decide(number: int) -> bool:
            return is_struck(each.seed, number, each.share)

        return bool(self._store.write(lambda uow: uow.faults.strikes(each, decide)))
