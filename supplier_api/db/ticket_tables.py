"""The tables of the back office's tickets: which is whose, which are apart, what came in."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from supplier_api.db.types import InstantColumn, RowId, metadata, partial_index

# Which problem or change a ticket of an adapter's system belongs to; made with the first snapshot.
ticket = Table(
    "ticket",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("adapter", String(100), nullable=False),
    Column("ticket", String(100), nullable=False),
    Column("problem_id", ForeignKey("service_problem.id"), nullable=False, index=True),
    # Our reference of the amendment or cancellation; empty for the problem's own ticket.
    Column("change_reference", String(25)),
    # The newest version that was applied, or that our own order made; empty before the first.
    Column("version", BigInteger),
    # When the ticket last had something to say (machine time).
    Column("heard", InstantColumn),
    UniqueConstraint("adapter", "ticket"),
)

# Tickets whose newest snapshot does not fit: one row a ticket, removed by a snapshot that fits.
ticket_apart = Table(
    "ticket_apart",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("adapter", String(100), nullable=False),
    Column("ticket", String(100), nullable=False),
    # Empty for a ticket that is nobody's.
    Column("problem_id", ForeignKey("service_problem.id"), index=True),
    # problems/snapshots.py, Apart.
    Column("cause", String(40), nullable=False),
    # The cause in words, for operators and for the comment in the ticket.
    Column("reason", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("snapshot", JSON, nullable=False),
    # Machine times: apart since, of the newest snapshot, and when the ticket was commented.
    Column("since", InstantColumn, nullable=False),
    Column("updated", InstantColumn, nullable=False),
    Column("told", InstantColumn),
    UniqueConstraint("adapter", "ticket"),
    partial_index("ix_ticket_apart_untold", "updated", where="told IS NULL"),
)

# Webhooks as they came in, until the worker has applied them, and for a while after.
inbox = Table(
    "inbox",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("hook", String(64), nullable=False),
    # The sender's own id of the webhook (webhook-id), or a digest of its body.
    Column("key", String(255), nullable=False),
    # Those headers that the adapter needs, by their names in lower case.
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # queued | applied | skipped | failed
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("error", Text),
    # Machine times: arrival, the next attempt (empty when there is none), and the end.
    Column("received", InstantColumn, nullable=False),
    Column("due_at", InstantColumn),
    Column("settled", InstantColumn),
    UniqueConstraint("hook", "key"),
    partial_index("ix_inbox_due", "due_at", where="due_at IS NOT NULL"),
    partial_index("ix_inbox_failed", "id", where="inbox.state = 'failed'"),
    Index("ix_inbox_received", "received"),
)

# How far an adapter's system has been polled.
poll_cursor = Table(
    "poll_cursor",
    metadata,
    Column("adapter", String(100), primary_key=True),
    # The time by which changes are asked for, as the adapter's system has it (UTC).
    Column("since", InstantColumn, nullable=False),
    Column("polled", InstantColumn, nullable=False),
)
