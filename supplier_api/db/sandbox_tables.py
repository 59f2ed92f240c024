"""The tables of the sandbox: scenarios, moved clocks, the journal of traffic, faults."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from supplier_api.db.types import InstantColumn, RowId, metadata

# What is played for a tenant, or for one of its conversations, when a request chooses nothing.
scenario_default = Table(
    "scenario_default",
    metadata,
    Column("tenant", String(255), primary_key=True),
    # Empty for all of the tenant's.
    Column("conversation_id", String(255), primary_key=True),
    # Names with their parameters, as they were set.
    Column("scenarios", JSON, nullable=False),
)

# What testers chose with a request, by its key (of a change: with the open question's scenario).
scenario_choice = Table(
    "scenario_choice",
    metadata,
    Column("tenant", String(255), primary_key=True),
    Column("operation", String(40), primary_key=True),
    Column("gateway_id", BigInteger, primary_key=True, autoincrement=False),
    Column("plays", JSON, nullable=False),
)

# Business time where testers have moved it. An empty tenant stands for all that have no row.
business_clock = Table(
    "business_clock",
    metadata,
    Column("tenant", String(255), primary_key=True),
    # Microseconds by which it is ahead of machine time, while it runs.
    Column("ahead", BigInteger, nullable=False),
    Column("stands_at", InstantColumn),
    # Where it is being moved to, from one thing that is due to the next; does it run on from there?
    Column("target", InstantColumn),
    Column("runs_on", Boolean, nullable=False),
)

# What testers set for a tenant.
tenant_setting = Table(
    "tenant_setting",
    metadata,
    Column("tenant", String(255), primary_key=True),
    # Ids and references follow from it. An empty tenant stands for all that have none.
    Column("seed", BigInteger),
    # The gateway that its KCIs go to, with our client there.
    Column("destination", JSON),
)

# The record of traffic that testers read; numbers rise in the order in which readers see them.
journal = Table(
    "journal",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("tenant", String(255), nullable=False),
    Column("at", InstantColumn, nullable=False),
    Column("direction", String(3), nullable=False),
    Column("operation", String(60), nullable=False),
    Column("conversation_id", String(255)),
    Column("status", Integer),
    # What the rule book decided.
    Column("outcome", String(20)),
    # Every id by which it can be found, each between spaces.
    Column("ids", Text, nullable=False),
    # Bytes of the entry, for the bound on what is kept of each tenant.
    Column("size", Integer, nullable=False),
    Column("entry", JSON, nullable=False),
    # Machine time, whatever time testers have it.
    Column("written", InstantColumn),
    Index("ix_journal_tenant", "tenant", "id", "size"),
    # A number is never given again: a reader goes on behind the last one that it has seen.
    sqlite_autoincrement=True,
)

# What testers let go wrong on purpose, for a tenant, for one of its conversations, or for one.
fault = Table(
    "fault",
    metadata,
    Column("id", RowId, primary_key=True),
    # Empty where the conversation alone says whose.
    Column("tenant", String(255), nullable=False),
    # Empty for all of the tenant's.
    Column("conversation_id", String(255), nullable=False),
    # in: our answers to the gateway; out: our updates to it
    Column("direction", String(3), nullable=False),
    Column("kind", String(40), nullable=False),
    # Empty for all of them.
    Column("operations", JSON, nullable=False),
    Column("parameters", JSON, nullable=False),
    # It ends after so many calls, or at that machine time, whichever comes first.
    Column("calls", BigInteger),
    Column("ends", InstantColumn),
    Column("share", Float, nullable=False),
    Column("seed", BigInteger, nullable=False),
    # Calls that came under it, and those of them that it struck.
    Column("seen", BigInteger, nullable=False),
    Column("hit", BigInteger, nullable=False),
    UniqueConstraint("tenant", "conversation_id", "direction", "kind"),
)
