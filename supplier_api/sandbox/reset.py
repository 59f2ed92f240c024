"""A tenant's fresh start: nothing is left, and what comes is the same every time."""

from datetime import datetime

from supplier_api.db import UnitOfWork
from supplier_api.problems.services import Services
from supplier_api.problems.timer_repository import ALL, BusinessClockRepository, TenantClock
from supplier_api.sandbox.purge import remove
from supplier_api.sandbox.tenant_settings import TenantSettingRepository
from supplier_api.sandbox.virtual_clock import Follower


def reset(
    services: Services,
    clock_sync: Follower,
    tenant: str | None,
    *,
    seed: int | None = None,
    freeze_at: datetime | None = None,
) -> None:
    """Delete all that is stored for `tenant` (None for all tenants), its moved clock included.

    From `seed` its ids and references follow from now on, each from what it is for; its time
    stands at `freeze_at`. Without them ids are random and time runs as everybody's does. What a
    worker is sending at this moment arrives, and nothing is kept of it. `clock_sync` forgets what
    it has of the tenant as well, and is told of the clock. Raises StoreUnavailable.
    """
    name = ALL if tenant is None else tenant

    def work(uow: UnitOfWork) -> None:
        # Before any row: nobody takes a step with a clock that is deleted below.
        BusinessClockRepository(uow).lock()
        remove(uow.connection, tenant)
        if tenant is None:
            TenantSettingRepository(uow).forget_seeds()
        TenantSettingRepository(uow).set_seed(name, seed)
        if freeze_at:
            BusinessClockRepository(uow).put(TenantClock(name, stands_at=freeze_at))

    services.store.write(work)
    clock_sync.start_afresh(name, seed)
    clock_sync.forget(name)
    if freeze_at:
        clock_sync.put(name, freeze_at, stands=True)
