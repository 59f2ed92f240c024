"""Storage: tables, repositories, transactions, migrations."""

from supplier_api.db.compiled_statements import UnitOfWork
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
