"""Storage: tables, repositories, transactions, migrations."""

from supplier_api.db.engine import Store
from supplier_api.db.errors import (
    CommitUnknown,
    Gone,
    NeverStored,
    SchemaTooOld,
    StoreBroken,
    StoreBusy,
    StoreUnavailable,
)
from supplier_api.db.unit_of_work import UnitOfWork

__all__ = [
    "CommitUnknown",
    "Gone",
    "NeverStored",
    "SchemaTooOld",
    "Store",
    "StoreBroken",
    "StoreBusy",
    "StoreUnavailable",
    "UnitOfWork",
]
