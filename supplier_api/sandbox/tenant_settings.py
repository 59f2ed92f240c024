"""What testers set for all tenants or for one: the clock, a seed, where KCIs go.

It is read from the database wherever it is asked for, and so holds in every process from the moment
at which it is set. A call of the gateway's is spared most of that: what it needs is read once, when
it comes in (CallSettings). Only the sandbox profile pays for any of this.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, null, select, update

from supplier_api.clock import MachineClock, Scale
from supplier_api.db import Store, StoreUnavailable, UnitOfWork
from supplier_api.db.compiled_statements import CompiledStatement, among
from supplier_api.db.tables import business_clock, fault, scenario_default, tenant_setting
from supplier_api.db.upsert import insert_for
from supplier_api.ids import IdSource, SeededIdSource
from supplier_api.problems.timer_repository import ALL, MICROSECOND

_t = tenant_setting.c
_clock = business_clock.c
# Asked at every call; the others only where it says that there is something to be found.
_WHAT_IS_SET = CompiledStatement(
    select(
        exists().select_from(business_clock),
        exists().where(_t.seed.is_not(None)),
        exists().select_from(scenario_default),
        exists().select_from(fault),
    )
)
_SEED = CompiledStatement(
    select(_t.seed)
    .where(among(_t.tenant, "tenants"), _t.seed.is_not(None))
    .order_by(_t.tenant.desc())
    .limit(1)
)
_SCALES = CompiledStatement(select(_clock.tenant, _clock.ahead, _clock.stands_at))


class TenantSettingRepository:
    """The settings within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def seed(self, tenant: str) -> int | None:
        """Return the seed that holds for a tenant: its own, or else everybody's."""
        rows = _SEED.run(self._connection, {"tenants": [tenant, ALL]})
        return rows[0][0] if rows else None

    def set_seed(self, tenant: str, seed: int | None) -> None:
        """Set the tenant's seed, or with the tenant "" everybody's who has none; None for none."""
        self._set(tenant, seed=seed)

    def forget_seeds(self) -> None:
        """Take every seed away."""
        self._connection.execute(update(tenant_setting), {"seed": None})

    def destination(self, tenant: str) -> Mapping[str, Any] | None:
        """Return where the tenant's KCIs go, if to a gateway of its own."""
        query = select(_t.destination).where(_t.tenant == tenant)
        return self._connection.execute(query).scalar()

    def set_destination(self, tenant: str, destination: Mapping[str, Any] | None) -> None:
        """Set where the tenant's KCIs go; None for where everybody's go."""
        self._set(tenant, destination=null() if destination is None else destination)

    def _set(self, tenant: str, **values: Any) -> None:
        setting = insert_for(self._connection.dialect.name, tenant_setting).values(
            tenant=tenant, **values
        )
        self._connection.execute(
            setting.on_conflict_do_update(index_elements=["tenant"], set_=values)
        )


@dataclass(frozen=True, slots=True)
class WhatIsSet:
    """What testers have set for anybody at all."""

    clocks: bool
    seeds: bool
    scenarios: bool
    faults: bool


def what_is_set(uow: UnitOfWork) -> WhatIsSet:
    """Return what there is to be read further, so that a call need not look for all of it."""
    return WhatIsSet(*_WHAT_IS_SET.run(uow.connection, {})[0])


@dataclass(frozen=True, slots=True)
class CallSettings:
    """What testers have set, as a call of this tenant and conversation finds it.

    `scales` are those of all clocks; `scenarios` are the defaults of the conversation, then those
    of the tenant.
    """

    tenant: str
    conversation_id: str
    scales: Mapping[str, Scale]
    seed: int | None
    scenarios: Sequence[str]

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Let them hold for all that is done in the `with` block, whatever is set meanwhile."""
        token = _CALL.set(self)
        try:
            yield
        finally:
            _CALL.reset(token)


_CALL: ContextVar[CallSettings | None] = ContextVar("call_settings", default=None)


def of_this_call() -> CallSettings | None:
    """Return what holds for the call that is being answered in this context, if any."""
    return _CALL.get()


def read_scales(uow: UnitOfWork) -> Mapping[str, Scale]:
    """Return the scale of each clock by tenant; "" stands for all who have none of their own."""
    rows = _SCALES.run(uow.connection, {})
    moved = {tenant: Scale(ahead * MICROSECOND, stands_at) for tenant, ahead, stands_at in rows}
    return {ALL: Scale(), **moved}


class StoredBusinessClock:
    """Business time that testers can move, for all or tenant by tenant."""

    def __init__(self, store: Store, machine: MachineClock) -> None:
        """Read the clocks in `store`."""
        self._store = store
        self._machine = machine

    def now(self, tenant: str) -> datetime:
        """Return the tenant's time; raises StoreUnavailable."""
        scales = self.scales()
        return scales.get(tenant, scales[ALL]).at(self._machine.now())

    def scales(self) -> Mapping[str, Scale]:
        """Return the scale of each clock; raises StoreUnavailable."""
        call = of_this_call()
        return call.scales if call else self._store.read(read_scales)


class StoredIdSource:
    """Repeatable ids and references for tenants that were given a seed; others get any."""

    def __init__(self, store: Store, otherwise: IdSource) -> None:
        """Read the seeds in `store`; ask `otherwise` where there is none."""
        self._store = store
        self._otherwise = otherwise

    def uuid(self, tenant: str, *what: object) -> UUID:
        """Return a UUID; the same for the same seed and the same thing."""
        return self._source(tenant, what).uuid(tenant, *what)

    def message_id(self, tenant: str, *what: object) -> UUID:
        """Return a message's UUID, with the same promise."""
        return self._source(tenant, what).message_id(tenant, *what)

    def reference(self, tenant: str, prefix: str, *what: object) -> str:
        """Return a reference, with the same promise."""
        return self._source(tenant, what).reference(tenant, prefix, *what)

    def jitter(self, share: float) -> float:
        """Return a share that nothing depends on but how long something takes."""
        return self._otherwise.jitter(share)

    def _source(self, tenant: str, what: tuple[object, ...]) -> IdSource:
        # What has no name, or no tenant, cannot be repeated: a token, say.
        if not tenant or not what:
            return self._otherwise
        call = of_this_call()
        try:
            if call and call.tenant == tenant:
                seed = call.seed
            else:
                seed = self._store.read(lambda uow: TenantSettingRepository(uow).seed(tenant))
        except StoreUnavailable:
            # Nothing can be stored now, but an error answer needs its uuid.
            return self._otherwise
        return self._otherwise if seed is None else SeededIdSource(seed)
