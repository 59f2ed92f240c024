"""INSERT ... ON CONFLICT: the same on both databases, and yet SQLAlchemy's for each of them."""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_for(dialect: str, table: Table) -> Any:
    """Return an INSERT into `table` that may have an ON CONFLICT; `dialect` is one of the two."""
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)
