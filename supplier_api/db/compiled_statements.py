"""A transaction, and the statements of the hot path in it.

These are compiled once, then passed to the driver as they are.

SQLAlchemy takes ten times as long to build a statement and its result as SQLite takes to run it.
Values are still converted by the types of their columns, both ways.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    BindParameter,
    Boolean,
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeEngine

from supplier_api.db.errors import is_stale
from supplier_api.db.types import InstantColumn, Many, as_text

Convert = Callable[[Any], Any] | None
# Queries on the queue need few rows, from an index that has them in order. The planner may choose
# otherwise, because statistics of a queue's length are soon outdated: it would read and sort all
# due rows, or even the whole table. With the first three settings it overestimates the cost of
# small tables so much that it would compile the statement (JIT), which takes longer than running
# it. Measured with statistics of empty tables, 600 of 60,000 lanes due: 5.5 ms a claim with these,
# 10.1 without; to set them takes 14 us of CPU. They are the transaction's alone: behind a
# connection pooler the session is another client's next.
# Nor is there a better plan for certain values, so each statement is planned once: planned anew,
# to claim ten lanes and to give them back took the server 2.8 ms of CPU instead of 1.4.
# They do not keep it from reading a table whole by an index, to join it or for a minimum: such
# queries look up rows by their ids, and take the first in order.
_BY_INDEX = (
    "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off;"
    " SET LOCAL enable_sort = off; SET LOCAL jit = off;"
    " SET LOCAL plan_cache_mode = force_generic_plan"
)


class UnitOfWork:
    """A transaction on `connection`; `dialect` is sqlite or postgresql.

    Repositories are made over it where they are used. Order of locks, everywhere: decision key,
    incidents, service, problems by id, lanes by id.
    """

    def __init__(self, connection: Connection, dialect: str) -> None:
        """Work on `connection`, which is in a transaction."""
        self.connection = connection
        self.dialect = dialect
        self.wakes_workers = False
        self._by_index = False

    def wake(self) -> None:
        """Have the workers woken once this transaction is committed."""
        self.wakes_workers = True

    def by_index(self) -> None:
        """Have the rest of the transaction use indexes, whatever PostgreSQL's statistics say.

        SQLite does so anyway.
        """
        if self.dialect == "postgresql" and not self._by_index:
            self._by_index = True
            run_raw(self.connection, _BY_INDEX)


class CompiledStatement:
    """A statement over the supplier's tables, with `bindparam`s for the values that differ."""

    def __init__(self, statement: Executable) -> None:
        """Compile when first needed, once for each engine."""
        self._statement = statement
        self._ready: dict[str, _Ready] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run it with a value for each name, and return its rows; an empty list if it returns none.

        Raises SQLAlchemy's DBAPIError, as `connection.execute` does.
        """
        dialect = connection.dialect
        ready = self._ready.get(dialect.name) or self._compiled(dialect)
        try:
            raw: Any = connection.connection.dbapi_connection
            cursor = raw.execute(ready.text, ready.arguments(values))
            return ready.read(cursor.fetchall()) if ready.columns else []
        except dialect.loaded_dbapi.Error as error:
            raise wrapped(error, connection) from error

    def first(self, connection: Connection, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Run it like `run`, and return its first row; None if there is none."""
        rows = self.run(connection, values)
        return rows[0] if rows else None

    def many(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> int:
        """Run it once for each row of values; return how many rows of the database it touched.

        Raises SQLAlchemy's DBAPIError, as `connection.execute` does.
        """
        dialect = connection.dialect
        ready = self._ready.get(dialect.name) or self._compiled(dialect)
        try:
            given = [ready.arguments(row) for row in rows]
            raw: Any = connection.connection.dbapi_connection
            cursor = raw.cursor()
            cursor.executemany(ready.text, given)
            return int(cursor.rowcount)
        except dialect.loaded_dbapi.Error as error:
            raise wrapped(error, connection) from error

    def as_text(self, connection: Connection, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """Return what the driver would be given: the statement's text and its values."""
        dialect = connection.dialect
        ready = self._ready.get(dialect.name) or self._compiled(dialect)
        return ready.text, ready.arguments(values)

    def _compiled(self, dialect: Dialect) -> "_Ready":
        ready = self._ready[dialect.name] = _ready(self._statement, dialect)
        return ready


class _Among(ColumnElement[bool]):
    """A column's value is one of many, which are passed as one list value of the statement."""

    inherit_cache = False

    def __init__(self, column: ColumnElement[Any], many: BindParameter[Any]) -> None:
        self.column = column
        self.many = many


@compiles(_Among, "postgresql")
def _among_array(found: _Among, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(found.column == any_(found.many), **options)


@compiles(_Among, "sqlite")
def _among_json(found: _Among, compiler: SQLCompiler, **options: Any) -> str:
    each = func.json_each(found.many).table_valued("value")
    return compiler.process(found.column.in_(select(each.c.value)), **options)


class _Hint(_Among):
    """As _Among, where another condition says the same and the planner cannot see how few match."""

    inherit_cache = False


@compiles(_Hint, "sqlite")
def _no_hint(_found: _Hint, _compiler: SQLCompiler, **_options: Any) -> str:
    # SQLite would find the rows by it, and then read all of Rows for each of them.
    return "1"


def among(
    column: ColumnElement[Any], name: str, values: Sequence[Any] | None = None
) -> ColumnElement[bool]:
    """Return the condition that the column is one of the numbers or texts passed as `name`.

    The statement is the same however many there are, unlike one with IN. `values` are the default.
    """
    many = bindparam(name, values, type_=Many(column.type), required=values is None)
    return _Among(column, many)


def hint_among(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Tell PostgreSQL again what a condition on Rows says: that the column is one of `name`."""
    return _Hint(column, bindparam(name, type_=Many(column.type)))


class Rows(FunctionElement[Any]):
    """Many rows of values, passed as one list value of the statement, to be read from.

    To run a statement for each row costs PostgreSQL's driver a fifth of all that a worker spends on
    a KCI.
    """

    inherit_cache = False

    def __init__(self, name: str) -> None:
        """Read from the value `name`: mappings whose values JSON has."""
        super().__init__(bindparam(name, type_=JSON()))
        self._row = self.table_valued("value", name=name).c.value

    def field(self, name: str, kind: TypeEngine[Any]) -> ColumnElement[Any]:
        """Return what the row has under `name`."""
        return _Field(self._row, name, kind)


class _Field(FunctionElement[Any]):
    inherit_cache = False

    def __init__(self, row: ColumnElement[Any], name: str, kind: TypeEngine[Any]) -> None:
        super().__init__(row)
        self.field = name
        self.type = kind


@compiles(Rows, "postgresql")
def _rows_of_array(rows: Rows, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_array_elements{compiler.process(rows.clause_expr, **options)}"


@compiles(Rows, "sqlite")
def _rows_of_each(rows: Rows, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each{compiler.process(rows.clause_expr, **options)}"


@compiles(_Field, "postgresql")
def _field_as_text(found: _Field, compiler: SQLCompiler, **options: Any) -> str:
    (row,) = found.clauses
    text = row.op("->>")(literal_column(f"'{found.field}'"))
    return compiler.process(cast(text, found.type), **options)


@compiles(_Field, "sqlite")
def _field_extracted(found: _Field, compiler: SQLCompiler, **options: Any) -> str:
    (row,) = found.clauses
    return f"json_extract({compiler.process(row, **options)}, '$.{found.field}')"


def named(*columns: str) -> dict[str, BindParameter[Any]]:
    """Return the values of an INSERT or UPDATE: for each column a parameter of the same name."""
    return {column: bindparam(column) for column in columns}


@dataclass(frozen=True, slots=True)
class _Ready:
    """A compiled statement as a driver takes it, with its values in order."""

    text: str
    values: tuple[tuple[str, Convert], ...]
    constants: Mapping[str, Any]
    # How the returned columns are converted; empty if it returns no rows.
    columns: tuple[Convert, ...]

    def arguments(self, given: Mapping[str, Any]) -> list[Any]:
        """Return the values, each converted by the type of its column."""
        if self.constants:
            given = {**self.constants, **given}
        return [
            given[name] if convert is None else convert(given[name])
            for name, convert in self.values
        ]

    def read(self, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Return rows of the driver, each value converted by the type of its column."""
        if not any(self.columns):
            return list(rows)
        return [
            tuple(
                value if convert is None else convert(value)
                for convert, value in zip(self.columns, row, strict=True)
            )
            for row in rows
        ]


def _ready(statement: Executable, dialect: Dialect) -> _Ready:
    compiled: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
    binds = {name: bind for bind, name in compiled.bind_names.items()}
    return _Ready(
        text=str(compiled),
        values=tuple(
            (name, _converter(binds[name].type, dialect)) for name in compiled.positiontup
        ),
        constants={name: bind.value for name, bind in binds.items() if not bind.required},
        columns=tuple(
            kind.dialect_impl(dialect).result_processor(dialect, None)
            for kind in _returned(statement)
        ),
    )


def _returned(statement: Any) -> list[TypeEngine[Any]]:
    """Return the types of the columns that a statement returns."""
    if statement.is_select:
        return [column.type for column in statement.selected_columns]
    return [column["type"] for column in statement.returning_column_descriptions]


def _converter(kind: TypeEngine[Any], dialect: Dialect) -> Convert:
    """Return how values of a column are converted, or None where the driver takes them as they are.

    Raises TypeError for a value whose type SQLAlchemy does not know: the driver would choose how to
    store it.
    """
    if isinstance(kind, NullType):
        raise TypeError("a value without a type: give its bindparam one")
    if isinstance(kind, Boolean):
        return None
    if isinstance(kind, InstantColumn) and dialect.name == "sqlite":
        return as_text
    return kind.dialect_impl(dialect).bind_processor(dialect)


def run_raw(connection: Connection, *texts: str) -> None:
    """Have the driver run statements as they are; raises SQLAlchemy's DBAPIError."""
    try:
        raw: Any = connection.connection.dbapi_connection
        for each in texts:
            raw.execute(each)
    except connection.dialect.loaded_dbapi.Error as error:
        raise wrapped(error, connection) from error


def wrapped(error: Exception, connection: Connection) -> BaseException:
    """Return the error as SQLAlchemy raises it.

    A lost or unusable connection is closed, and so are all connections that are as old.
    """
    dialect, raw = connection.dialect, connection.connection.dbapi_connection
    lost = is_stale(error) or dialect.is_disconnect(error, raw, None)  # type: ignore[arg-type]  # the driver's error
    if lost:
        # As SQLAlchemy does after a statement that it runs itself.
        connection.engine.pool._invalidate(connection.connection, error)  # noqa: SLF001
        connection.invalidate(error)
    return DBAPIError.instance(
        None,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=lost,
        dialect=dialect,
    )
