"""Time and chance as testers have set them: read from the database at every call.

So they hold in every process from the moment at which they are set. Only the sandbox profile pays
for that.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from supplier_api.clock import MachineClock, Scale
from supplier_api.db.engine import Store
from supplier_api.db.errors import StoreUnavailable
from supplier_api.ids import Chance, SeededChance
from supplier_api.problems.timer_repository import BusinessClockRepository
from supplier_api.sandbox.tenant_settings import TenantSettingRepository


class StoredBusinessClock:
    """Business time that testers can move, for all or tenant by tenant."""

    def __init__(self, store: Store, machine: MachineClock) -> None:
        """Read the clocks in `store`."""
        self._store = store
        self._machine = machine

    def now(self, tenant: str) -> datetime:
        """Return the tenant's time; raises StoreUnavailable."""
        scale = self._store.read(lambda uow: BusinessClockRepository(uow).scale(tenant))
        return scale.at(self._machine.now())

    def scales(self) -> Mapping[str, Scale]:
        """Return the scale of each clock; raises StoreUnavailable."""
        clocks = self._store.read(lambda uow: BusinessClockRepository(uow).by_tenant())
        return {tenant: clock.scale for tenant, clock in clocks.items()}


class StoredChance:
    """Repeatable ids and references for tenants that were given a seed; others get any."""

    def __init__(self, store: Store, otherwise: Chance) -> None:
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

    def _source(self, tenant: str, what: tuple[object, ...]) -> Chance:
        # What has no name, or no tenant, cannot be repeated: a token, say.
        if not tenant or not what:
            return self._otherwise
        try:
            seed = self._store.read(lambda uow: TenantSettingRepository(uow).seed(tenant))
        except StoreUnavailable:
            # Nothing can be stored now, but an error answer needs its uuid.
            return self._otherwise
        return self._otherwise if seed is None else SeededChance(seed)
