"""Which fault, if any, strikes a call: asked for every call, in the sandbox profile only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from supplier_api.clock import MachineClock
from supplier_api.db import Store, StoreUnavailable
from supplier_api.logging import get_logger
from supplier_api.sandbox.fault_injection.catalogue import BY_NAME
from supplier_api.sandbox.fault_injection.model import Fault, Place, is_struck
from supplier_api.sandbox.fault_injection.repository import FaultRepository, StoredFault

LOOK_SECONDS = 1.0  # that a look may take: every call waits for it
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class InterceptedCall:
    """A call that a fault may strike; None for what it does not say of itself."""

    place: Place
    operation: str
    tenant: str | None
    conversation_id: str | None


# Tells whether a fault can be made of a call; one that cannot is not counted.
Fits = Callable[[Fault], bool]
# A fault as it is kept, and as it is done.
Candidate = tuple[StoredFault, Fault]


def _any(_fault: Fault) -> bool:
    return True


class ActiveFaults:
    """The faults that are set, read from the database at every call."""

    def __init__(self, store: Store, machine: MachineClock) -> None:
        """Look into `store`; they end by machine time."""
        self._store = store
        self._machine = machine

    def next(self, call: InterceptedCall, fits: Fits = _any) -> Fault | None:
        """Return the fault that strikes a call, as `strike` does of all that could."""
        return self.strike(self.candidates(call), fits)

    def candidates(self, call: InterceptedCall) -> list[Candidate]:
        """Return the faults that could strike a call, the oldest first."""
        try:
            found = self._store.read(
                lambda uow: FaultRepository(uow).of(call.tenant, call.conversation_id),
                deadline=self._machine.monotonic() + LOOK_SECONDS,
            )
        except StoreUnavailable as error:
            log.warning("faults.no-database", error=str(error))
            return []
        if not found:
            return []
        now = self._machine.now()
        known = [
            (each, Fault(each.id, BY_NAME[each.direction, each.kind], each.parameters))
            for each in found
        ]
        return [
            (each, fault)
            for each, fault in known
            if fault.kind.place is call.place
            and not each.is_over(now)
            and fault.kind.strikes(call.operation, tuple(each.operations))
        ]

    def strike(self, candidates: Sequence[Candidate], fits: Fits) -> Fault | None:
        """Return which of these strikes, the oldest if several would; None for none.

        `fits` may let one pass without being counted. A call that one fault strikes is not counted
        under the others.
        """
        try:
            for each, fault in candidates:
                if fits(fault) and self._strikes(each):
                    log.info("fault.strikes", fault=each.id, kind=each.kind, tenant=each.tenant)
                    return fault
        except StoreUnavailable as error:
            log.warning("faults.no-database", error=str(error))
        return None

    def stays(self, fault: Fault) -> bool:
        """Tell whether a fault is still set, be it used up or not; raises StoreUnavailable."""
        return self._store.read(lambda uow: FaultRepository(uow).exists(fault.id))

    def _strikes(self, each: StoredFault) -> bool:
        def decide(number: int) -> bool:
            return is_struck(each.seed, number, each.share)

        return bool(self._store.write(lambda uow: FaultRepository(uow).strikes(each, decide)))
