"""The faults that are set, as rows, and which of them, if any, strikes a call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Row, delete, insert, or_, select, type_coerce, update
from sqlalchemy.sql import ColumnElement
from sqlalchemy.types import NullType

from supplier_api.clock import MachineClock
from supplier_api.db import Store, StoreUnavailable
from supplier_api.db.compiled_statements import CompiledStatement, UnitOfWork, among
from supplier_api.db.tables import fault
from supplier_api.logging import get_logger
from supplier_api.sandbox.fault_injection.catalogue import BY_NAME
from supplier_api.sandbox.fault_injection.model import InjectedFault, Place, is_struck
from supplier_api.sandbox.tenant_settings import WhatIsSet, what_is_set

T = TypeVar("T")
LOOK_SECONDS = 1.0  # that a look may take: every call waits for it
log = get_logger(__name__)
_t = fault.c
# Asked at every call. A float comes from the driver as it should be, and is not converted.
_FAULTS_OF = CompiledStatement(
    select(*(type_coerce(each, NullType()) if each is _t.share else each for each in fault.c))
    .where(among(_t.tenant, "tenants"), among(_t.conversation_id, "conversations"))
    .order_by(_t.id)
)


@dataclass(frozen=True, slots=True)
class NewFault:
    """A fault as it is set.

    An empty tenant or conversation stands for any, no operations for all. It ends after `calls`
    calls or at `ends` (machine time). Of the calls it strikes the `share` that follows from `seed`.
    """

    tenant: str
    conversation_id: str
    direction: str
    kind: str
    operations: Sequence[str]
    parameters: Mapping[str, Any]
    calls: int | None
    ends: datetime | None
    share: float
    seed: int


@dataclass(frozen=True, slots=True)
class StoredFault(NewFault):
    """One that is set, with the number of calls that it has `seen` and of those that it `hit`."""

    id: int
    seen: int
    hit: int

    def is_over(self, now: datetime) -> bool:
        """Tell whether it has come to its end, at this machine time."""
        used_up = self.calls is not None and self.seen >= self.calls
        return used_up or (self.ends is not None and self.ends <= now)

    @property
    def fault(self) -> InjectedFault:
        """What it does, with its parameters."""
        return InjectedFault(self.id, BY_NAME[self.direction, self.kind], self.parameters)


class FaultRepository:
    """The faults within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def put(self, new: NewFault) -> StoredFault:
        """Set a fault in the place of the same kind for the same tenant and conversation."""
        same = (
            _t.tenant == new.tenant,
            _t.conversation_id == new.conversation_id,
            _t.direction == new.direction,
            _t.kind == new.kind,
        )
        self._connection.execute(delete(fault).where(*same))
        values = {**asdict(new), "seen": 0, "hit": 0}
        row = self._connection.execute(insert(fault).values(values).returning(fault)).one()
        return _stored(row)

    def find(self, **named: str | int) -> list[StoredFault]:
        """Return the faults with these values in their columns, the oldest first."""
        query = select(fault).where(*_conditions(named)).order_by(_t.id)
        return [_stored(row) for row in self._connection.execute(query)]

    def delete(self, **named: str | int) -> None:
        """Delete the faults with these values in their columns; without any, all of them."""
        self._connection.execute(delete(fault).where(*_conditions(named)))

    def exists(self, fault_id: int) -> bool:
        """Tell whether the fault is still set, be it over or not."""
        return self._connection.scalar(select(_t.id).where(_t.id == fault_id)) is not None

    def of(self, tenant: str | None, conversation_id: str | None) -> list[StoredFault]:
        """Return the faults for a call of this tenant and conversation, the oldest first.

        None is for a call that does not say: it may be any tenant's, or of any conversation.
        """
        if tenant is not None and conversation_id is not None:
            whose = {"tenants": [tenant, ""], "conversations": [conversation_id, ""]}
            rows = _FAULTS_OF.run(self._connection, whose)
            return [StoredFault(**dict(zip(fault.c.keys(), row, strict=True))) for row in rows]
        conditions = []
        if tenant is not None:
            conditions.append(_t.tenant.in_((tenant, "")))
        if conversation_id is not None:
            conditions.append(_t.conversation_id.in_((conversation_id, "")))
        query = select(fault).where(*conditions).order_by(_t.id)
        return [_stored(row) for row in self._connection.execute(query)]

    def strikes(self, of: StoredFault) -> bool:
        """Count a call under a fault and return whether it is among those that it strikes.

        It is not if the fault has had all its calls, or was taken away.
        """
        mine = _t.id == of.id
        left = or_(_t.calls.is_(None), _t.seen < _t.calls)
        counted = update(fault).where(mine, left).values(seen=_t.seen + 1).returning(_t.seen)
        number = self._connection.execute(counted).scalar()
        if number is None or not is_struck(of.seed, number, of.share):
            return False
        self._connection.execute(update(fault).where(mine).values(hit=_t.hit + 1))
        return True


def _conditions(named: Mapping[str, str | int]) -> list[ColumnElement[bool]]:
    return [_t[name] == value for name, value in named.items()]


def _stored(row: Row[Any]) -> StoredFault:
    return StoredFault(**row._asdict())


@dataclass(frozen=True, slots=True)
class InterceptedCall:
    """A call that a fault may strike; None for what it does not say of itself."""

    place: Place
    operation: str
    tenant: str | None
    conversation_id: str | None


# Tells whether a fault can be made of a call; one that cannot is not counted.
Fits = Callable[[InjectedFault], bool]


class ActiveFaults:
    """The faults that are set, read from the database at every call."""

    def __init__(self, store: Store, machine: MachineClock) -> None:
        """Look into `store`; they end by machine time."""
        self._store = store
        self._machine = machine

    def look(self, work: Callable[[UnitOfWork, WhatIsSet], T]) -> T | None:
        """Return what `work` reads of what testers have set; None if that takes too long."""
        try:
            return self._store.read(
                lambda uow: work(uow, what_is_set(uow)),
                deadline=self._machine.monotonic() + LOOK_SECONDS,
            )
        except StoreUnavailable as error:
            log.warning("faults.no-database", error=str(error))
            return None

    def candidates(
        self, uow: UnitOfWork, is_set: WhatIsSet, call: InterceptedCall
    ) -> list[StoredFault]:
        """Return the faults that could strike a call, the oldest first."""
        if not is_set.faults:
            return []
        now = self._machine.now()
        return [
            each
            for each in FaultRepository(uow).of(call.tenant, call.conversation_id)
            if (kind := each.fault.kind).place is call.place
            and not each.is_over(now)
            and kind.strikes(call.operation, tuple(each.operations))
        ]

    def strike(self, candidates: Sequence[StoredFault], fits: Fits) -> InjectedFault | None:
        """Return which of these strikes, the oldest if several would; None for none.

        `fits` may let one pass without being counted. A call that one fault strikes is not counted
        under the others.
        """
        try:
            for each in candidates:
                if fits(each.fault) and self._strikes(each):
                    log.info("fault.strikes", fault=each.id, kind=each.kind, tenant=each.tenant)
                    return each.fault
        except StoreUnavailable as error:
            log.warning("faults.no-database", error=str(error))
        return None

    def stays(self, fault: InjectedFault) -> bool:
        """Tell whether a fault is still set, be it used up or not; raises StoreUnavailable."""
        return self._store.read(lambda uow: FaultRepository(uow).exists(fault.id))

    def _strikes(self, each: StoredFault) -> bool:
        return self._store.write(lambda uow: FaultRepository(uow).strikes(each))
