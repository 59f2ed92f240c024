"""The tables of operations: pauses, switches, processes, metrics, people's work and actions."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from supplier_api.db.types import InstantColumn, RowId, metadata, partial_index

# Times in which messages are not sent and do not grow old: current ones and past ones. All
# instants are machine time.
pause = Table(
    "pause",
    metadata,
    Column("id", RowId, primary_key=True),
    # operator | breaker (the destination fails) | asked (it said Retry-After)
    Column("cause", String(20), nullable=False),
    # Which messages it pauses; empty for any.
    Column("destination", String(64)),
    Column("tenant", String(255)),
    Column("problem_id", ForeignKey("service_problem.id"), index=True),
    Column("reason", Text, nullable=False),
    Column("who", String(100), nullable=False),
    Column("since", InstantColumn, nullable=False),
    # Empty while it lasts; one that the destination asked for ends by itself.
    Column("until", InstantColumn),
    # While a breaker is open: when the next probe may be sent, how many failed, and the lane that
    # is the probe, or was last.
    Column("probe_at", InstantColumn),
    Column("probes", Integer, nullable=False, server_default=text("0")),
    Column("probe_lane", BigInteger),
    Column("probe_owner", String(100)),
    Column("probe_until", InstantColumn),
    partial_index(
        "ix_pause_open_breaker",
        "destination",
        unique=True,
        where="cause = 'breaker' AND until IS NULL",
    ),
    Index("ix_pause_until", "until"),
)

# Switches that operators turned on, such as maintenance; a switch without a row is off.
switch = Table(
    "switch",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("who", String(100), nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", InstantColumn, nullable=False),
)

# Processes on this database, with their last heartbeat (machine time).
process = Table(
    "process",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("version", String(40), nullable=False),
    Column("book_version", String(80)),
    Column("started", InstantColumn, nullable=False),
    Column("seen", InstantColumn, nullable=False),
    # Empty while it runs, and after it was killed.
    Column("ended", InstantColumn),
    # What only the process knows: rates, the last message accepted.
    Column("detail", JSON, nullable=False),
)

# What a process counted of its work in some seconds; after an hour, what all of its kind counted in
# five minutes. All instants are machine time.
metric_sample = Table(
    "metric_sample",
    metadata,
    Column("id", RowId, primary_key=True),
    # Empty where the samples of several processes are merged.
    Column("process", String(100)),
    Column("kind", String(20), nullable=False),
    # When it began, and how long it lasted.
    Column("at", InstantColumn, nullable=False),
    Column("seconds", Float, nullable=False),
    # Numbers by name: operations/metrics.py.
    Column("counts", JSON, nullable=False),
    # A sample whose COMMIT was lost is stored once, however often it is tried.
    UniqueConstraint("process", "at"),
    Index("ix_metric_sample_at", "at"),
)

# The installation this database belongs to: a copy must not call the live gateway. One row.
stamp = Table(
    "stamp",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("environment", String(255), nullable=False),
    Column("kci_host", String(255), nullable=False),
    Column("at", InstantColumn, nullable=False),
)

# What people work on: orders that wait until somebody is done with them, and who has taken an
# undecided request or such an order. An undecided request that nobody has taken has no row.
work_item = Table(
    "work_item",
    metadata,
    # Our reference of the problem, change or resolution that it is about.
    Column("reference", String(25), primary_key=True),
    Column("problem_id", ForeignKey("service_problem.id"), nullable=False, index=True),
    # That of the order, or the operation that is undecided.
    Column("kind", String(20), nullable=False),
    # The order's UUID; empty where there is none.
    Column("message", String(36)),
    # When the order was issued, or the request made (business time).
    Column("created", InstantColumn, nullable=False),
    # Who has taken it, and when (machine time); empty while nobody has.
    Column("who", String(100)),
    Column("taken", InstantColumn),
    partial_index("ix_work_item_order", "created", where="message IS NOT NULL"),
    partial_index("ix_work_item_who", "who", where="who IS NOT NULL"),
)

# The actions of operators: who, what and why.
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
    # Where it was done from, if that was the console.
    Column("address", String(64)),
    Index("ix_operator_action_at", "at"),
    Index("ix_operator_action_who", "who", "id"),
    Index("ix_operator_action_action", "action", "id"),
)
