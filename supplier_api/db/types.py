"""The metadata of all tables; column types and indexes that mean the same on both engines."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import ARRAY, BigInteger, DateTime, Dialect, Index, Integer, MetaData, Text, text
from sqlalchemy.types import TypeDecorator, TypeEngine

# How the constraints of all tables are named.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# SQLite numbers rows by itself only in a column of the type INTEGER.
RowId = BigInteger().with_variant(Integer(), "sqlite")


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Return an index of the rows that `where`, in SQL, is true of."""
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


NAIVE = "an instant must be aware"


# One transaction writes the same instant into many rows.
@lru_cache(maxsize=64)
def as_text(value: datetime | None) -> str | None:
    """Return an aware instant as SQLite stores it; a naive one is a bug and raises ValueError."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(NAIVE)
    in_utc = value if value.tzinfo is UTC else value.astimezone(UTC)
    return in_utc.isoformat(timespec="microseconds")


class InstantColumn(TypeDecorator[datetime]):
    """An aware UTC instant: TIMESTAMPTZ on PostgreSQL, sortable ISO 8601 text on SQLite."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Text())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Write an aware instant; a naive one is a bug and raises ValueError."""
        if dialect.name == "sqlite":
            return as_text(value)
        if value is not None and value.tzinfo is None:
            raise ValueError(NAIVE)
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read an instant back, aware, in UTC."""
        if value is None:
            return None
        if dialect.name == "sqlite":
            return datetime.fromisoformat(value)
        read: datetime = value.astimezone(UTC)
        return read


class Many(TypeDecorator[Sequence[Any]]):
    """Many numbers or texts as one value: an array on PostgreSQL, a JSON text on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, of: TypeEngine[Any]) -> None:
        """Take values of the type `of`."""
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type by which they are passed."""
        kind = Text() if dialect.name == "sqlite" else ARRAY(self.of)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> Any:
        """Convert them for the driver."""
        return orjson.dumps(value).decode() if dialect.name == "sqlite" else value
