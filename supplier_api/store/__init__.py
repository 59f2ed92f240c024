"""Storage: tables, repositories, transactions, migrations."""

from supplier_api.store.engine import Store
from supplier_api.store.errors import Gone, SchemaTooOld, StoreBusy, StoreUnavailable
from supplier_api.store.unit_of_work import UnitOfWork

__all__ = ["Gone", "SchemaTooOld", "Store", "StoreBusy", "StoreUnavailable", "UnitOfWork"]
