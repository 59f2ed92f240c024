"""What testers set for a tenant: its seed, and the gateway that its KCIs go to."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import null, select, update
from sqlalchemy.dialects import postgresql, sqlite

from supplier_api.db import Store, UnitOfWork
from supplier_api.db.tables import tenant_setting
from supplier_api.delivery.answers import Terms
from supplier_api.delivery.gateway_transport import GatewayAddress

_t = tenant_setting.c
ALL = ""


class TenantSettingRepository:
    """The settings within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def seed(self, tenant: str) -> int | None:
        """Return the seed that holds for a tenant: its own, or else everybody's."""
        query = select(_t.seed).where(_t.tenant.in_({tenant, ALL}), _t.seed.is_not(None))
        return self._connection.execute(query.order_by(_t.tenant.desc()).limit(1)).scalar()

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
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        setting = dialect.insert(tenant_setting).values(tenant=tenant, **values)
        self._connection.execute(
            setting.on_conflict_do_update(index_elements=["tenant"], set_=values)
        )


class Destinations:
    """Where each tenant's KCIs go, read from the database at every call."""

    def __init__(self, store: Store, answers: Terms) -> None:
        """Look into `store`; `answers` are what all gateways' answers are read by."""
        self._store = store
        self._answers = answers

    def of(self, tenant: str) -> GatewayAddress | None:
        """Return the tenant's own gateway, None if it has none; raises StoreUnavailable."""
        found = self._store.read(lambda uow: TenantSettingRepository(uow).destination(tenant))
        return address_of(found, self._answers) if found else None


def address_of(destination: Mapping[str, str], answers: Terms) -> GatewayAddress:
    """Return what is kept of a destination as an address."""
    return GatewayAddress(
        kci_url=destination["kciUrl"],
        token_url=destination["tokenUrl"],
        client_id=destination["clientId"],
        client_secret=destination["clientSecret"],
        answers=answers,
    )
