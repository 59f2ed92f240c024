"""The tables of those who run the house: pauses, switches, processes, and who did what."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from supplier_api.db.metadata import metadata
from supplier_api.db.types import InstantColumn, RowId

# Times in which messages are not sent, and do not grow old: those that last, and those that were.
# All instants are machine time.
pause = Table(
    "pause",
    metadata,
    Column("id", RowId, primary_key=True),
    # operator | breaker (the destination fails) | asked (it said Retry-After)
    Column("cause", String(20), nullable=False),
    # What it holds up; empty for any.
    Column("destination", String(64)),
    Column("tenant", String(255)),
    Column("problem_id", ForeignKey("service_problem.id"), index=True),
    Column("reason", Text, nullable=False),
    Column("who", String(100), nullable=False),
    Column("since", InstantColumn, nullable=False),
    # Empty while it lasts; one that was asked for ends by itself.
    Column("until", InstantColumn),
    # While a breaker is open: when one lane may be tried, how many were in vain, and the one that
    # is being tried, or was last.
    Column("probe_at", InstantColumn),
    Column("probes", Integer, nullable=False, server_default=text("0")),
    Column("probe_lane", BigInteger),
    Column("probe_owner", String(100)),
    Column("probe_until", InstantColumn),
    Index(
        "ix_pause_open_breaker",
        "destination",
        unique=True,
        sqlite_where=text("cause = 'breaker' AND until IS NULL"),
        postgresql_where=text("cause = 'breaker' AND until IS NULL"),
    ),
    Index("ix_pause_until", "until"),
)

# What people switched on, such as maintenance; a row that is not there is off.
switch = Table(
    "switch",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("who", String(100), nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", InstantColumn, nullable=False),
)

# Processes on this database, with their last sign of life (machine time).
process = Table(
    "process",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("version", String(40), nullable=False),
    Column("book_version", String(80)),
    Column("started", InstantColumn, nullable=False),
    Column("seen", InstantColumn, nullable=False),
    # Empty of one that runs, and of one that was killed.
    Column("ended", InstantColumn),
    # What it knows that is in no row: rates, the last message taken.
    Column("detail", JSON, nullable=False),
)

# Whose database this is: a copy of it must not talk to the live gateway. One row.
stamp = Table(
    "stamp",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("environment", String(255), nullable=False),
    Column("kci_host", String(255), nullable=False),
    Column("at", InstantColumn, nullable=False),
)

# Who did what by hand, and why.
operator_action = Table(
    "operator_action",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at", InstantColumn, nullable=False),
    Column("who", String(100), nullable=False),
    Column("action", String(40), nullable=False),
    Column("reason", Text, nullable=False),
    Column("destination", String(64)),
    Column("tenant", String(255)),
    Column("problem_id", ForeignKey("service_problem.id"), index=True),
    # The message's UUID.
    Column("message", String(36), index=True),
    Column("detail", JSON(none_as_null=True)),
    Index("ix_operator_action_at", "at"),
)
