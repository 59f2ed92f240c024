"""Every table of the supplier's database.

Statuses are text, so that a person can read them in any SQL client. Changes go through
`db/migrations`; a test compares the two.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from supplier_api.db.account_tables import (
    console_session,
    console_user,
    sign_in_failure,
    sign_in_link,
)
from supplier_api.db.ops_tables import (
    metric_sample,
    operator_action,
    pause,
    process,
    stamp,
    switch,
    work_item,
)
from supplier_api.db.sandbox_tables import (
    business_clock,
    fault,
    journal,
    scenario_choice,
    scenario_default,
    tenant_setting,
)
from supplier_api.db.ticket_tables import inbox, poll_cursor, ticket, ticket_apart
from supplier_api.db.types import InstantColumn, RowId, metadata, partial_index

__all__ = [
    "back_office_event",
    "business_clock",
    "change_request",
    "console_session",
    "console_user",
    "decision",
    "fault",
    "inbox",
    "incident",
    "incident_left",
    "incident_scope",
    "incident_service",
    "journal",
    "lane",
    "message",
    "metadata",
    "metric_sample",
    "operator_action",
    "pause",
    "poll_cursor",
    "process",
    "resolution",
    "scenario_choice",
    "scenario_default",
    "service_problem",
    "sign_in_failure",
    "sign_in_link",
    "signing_key",
    "stamp",
    "switch",
    "tenant_setting",
    "ticket",
    "ticket_apart",
    "timer",
    "work_item",
]

# One row a problem. base, waiting, awaits, asked and incident are its state (problems/model.py).
service_problem = Table(
    "service_problem",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("tenant", String(255), nullable=False),
    Column("gateway_id", BigInteger, nullable=False),
    Column("reference", String(25), nullable=False, unique=True),
    Column("service_id", String(50), nullable=False),
    Column("conversation_id", String(255), nullable=False),
    Column("base", String(20), nullable=False),
    Column("waiting", String(20)),
    Column("awaits", String(20)),
    Column("asked", String(20)),
    Column("incident", String(64)),
    # Where the service is, as the inventory had it when the problem was decided on.
    Column("area", String(255)),
    Column("exchange", String(255)),
    # Our reference of the problem that the tenant named as its parent, if there was one.
    Column("parent", String(25)),
    Column("parent_unknown", Boolean, nullable=False, server_default=false()),
    Column("document", JSON, nullable=False),
    Column("next_kci", Integer, nullable=False),
    Column("next_order", Integer, nullable=False),
    Column("last_issued", InstantColumn),
    # Whether the gateway has received our reference: in a 201, or in a KCI that it accepted.
    Column("reference_known", Boolean, nullable=False),
    # The answer to the create may have been lost, and the gateway has not shown that it knows it.
    Column("doubtful", Boolean, nullable=False, server_default=false()),
    Column("linked_to", String(25)),
    Column("back_office_id", String(100)),
    Column("back_office_url", String(1000)),
    # A work order was skipped: the back office does not know all changes.
    Column("back_office_untold", Boolean, nullable=False, server_default=false()),
    # Notes for the next KCI about numbers that were left out; or empty.
    Column("left_out", JSON(none_as_null=True)),
    # What a tester chose, in the sandbox profile only.
    Column("scenario", JSON(none_as_null=True)),
    Column("version", Integer, nullable=False),
    Column("created", InstantColumn, nullable=False),
    Column("updated", InstantColumn, nullable=False),
    # When retention removed the bodies of its messages and answers.
    Column("thinned", InstantColumn),
    UniqueConstraint("tenant", "gateway_id"),
    Index("ix_service_problem_service_id", "tenant", "service_id"),
    Index("ix_service_problem_back_office_id", "back_office_id"),
    Index("ix_service_problem_incident", "incident"),
    Index("ix_service_problem_conversation_id", "conversation_id"),
    partial_index("ix_service_problem_undecided", "created", where="base = 'UNDECIDED'"),
    # Problems that operators have to handle: few at any time.
    partial_index("ix_service_problem_doubtful", "created", where="doubtful"),
    partial_index("ix_service_problem_untold", "updated", where="back_office_untold"),
    # Those that are worked on, the longest without a change first.
    partial_index(
        "ix_service_problem_open", "updated", where="base IN ('ACKNOWLEDGED', 'IN_PROGRESS')"
    ),
    # The problems that retention reads, the longest over first.
    partial_index(
        "ix_service_problem_over", "updated", where="base IN ('REJECTED', 'CANCELLED', 'COMPLETED')"
    ),
    # All others, in the order of their changes.
    partial_index(
        "ix_service_problem_current",
        "updated",
        where="base NOT IN ('REJECTED', 'CANCELLED', 'COMPLETED')",
    ),
    # The same by their state, to count them.
    partial_index(
        "ix_service_problem_state",
        "base",
        "waiting",
        "asked",
        where="base NOT IN ('REJECTED', 'CANCELLED', 'COMPLETED')",
    ),
    # Of those that are over, those whose messages and answers are not thinned yet.
    partial_index(
        "ix_service_problem_whole",
        "updated",
        where="base IN ('REJECTED', 'CANCELLED', 'COMPLETED') AND thinned IS NULL",
    ),
)

change_request = Table(
    "change_request",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("problem_id", ForeignKey("service_problem.id"), nullable=False, index=True),
    Column("tenant", String(255), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("gateway_id", BigInteger, nullable=False),
    Column("reference", String(25), nullable=False, unique=True),
    Column("status", String(20), nullable=False),
    Column("body", JSON, nullable=False),
    Column("back_office_id", String(100), index=True),
    Column("back_office_url", String(1000)),
    Column("created", InstantColumn, nullable=False),
    Column("decided", InstantColumn),
    UniqueConstraint("tenant", "kind", "gateway_id"),
    partial_index("ix_change_request_pending", "created", where="status = 'PENDING'"),
)

resolution = Table(
    "resolution",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("problem_id", ForeignKey("service_problem.id"), nullable=False, index=True),
    Column("reference", String(25), nullable=False, unique=True),
    Column("status", String(20), nullable=False),
    Column("details", JSON, nullable=False),
    Column("sla_violation", JSON),
    Column("tenant_notes", Text),
    Column("resolved_date", InstantColumn, nullable=False),
    Column("closed_date", InstantColumn),
    # When the gateway accepted the RESOLVED KCI: closure by silence counts from here.
    Column("taken", InstantColumn),
)

# Written so that it is not used for a search by `problem_id`.
_REFUSED = "coalesce(problem_id, 0) = 0 AND status IS NOT NULL"

# The idempotency record, the audit trail, and the material for back-testing a rule book.
decision = Table(
    "decision",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("tenant", String(255), nullable=False),
    Column("operation", String(20), nullable=False),
    # The gateway's id; for a resolution answer, the resolution's reference.
    Column("key", String(25), nullable=False),
    Column("fingerprint", String(80), nullable=False),
    Column("problem_id", ForeignKey("service_problem.id"), index=True),
    Column("reference", String(25)),
    Column("status", Integer),
    Column("body", JSON),
    Column("outcome", String(20)),
    Column("rule", String(100)),
    Column("reasons", JSON),
    Column("trace", JSON),
    # What the rules decided on, without what is personal (rules/stored_facts.py).
    Column("facts", JSON(none_as_null=True)),
    Column("book_version", String(80)),
    Column("contract", String(40), nullable=False),
    Column("conversation_id", String(255), nullable=False),
    Column("request_id", String(255), nullable=False),
    Column("created", InstantColumn, nullable=False),
    # Machine time right before the commit, and the process (table `process`) that answered.
    Column("committed", InstantColumn, index=True),
    Column("process", String(100)),
    # Written only when the answer left later than the answer budget allows.
    Column("answered_late", InstantColumn),
    # When retention removed bodies, trace and facts; key, fingerprint, code and reference stay.
    Column("thinned", InstantColumn),
    UniqueConstraint("tenant", "operation", "key"),
    partial_index("ix_decision_answered_late", "answered_late", where="answered_late IS NOT NULL"),
    # Requests that led to no problem: retention removes them by their age. Those that are being
    # answered have no status yet.
    partial_index("ix_decision_refused", "created", where=_REFUSED),
    partial_index("ix_decision_refused_whole", "created", where=f"{_REFUSED} AND thinned IS NULL"),
)

# The ordered stream of messages of one problem to one destination; the unit that a worker claims.
lane = Table(
    "lane",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("problem_id", ForeignKey("service_problem.id"), nullable=False),
    Column("tenant", String(255), nullable=False),
    Column("destination", String(64), nullable=False),
    Column("due_at", InstantColumn),
    # No message is sent before: the answer to the gateway's request must arrive first.
    Column("not_before", InstantColumn),
    # Failures in a row; more than none means that the last attempt failed.
    Column("attempts", Integer, nullable=False),
    Column("lease_owner", String(100)),
    Column("lease_until", InstantColumn),
    Column("claim_no", Integer, nullable=False),
    Column("parked", Boolean, nullable=False),
    UniqueConstraint("problem_id", "destination"),
    partial_index(
        "ix_lane_due", "destination", "due_at", where="due_at IS NOT NULL AND NOT parked"
    ),
    partial_index("ix_lane_parked", "destination", where="parked"),
)

message = Table(
    "message",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("lane_id", ForeignKey("lane.id"), nullable=False),
    # A KCI's sequenceNumber; a work order's own count.
    Column("number", Integer, nullable=False),
    Column("uuid", String(36), nullable=False, unique=True),
    # A KCI's reasonCode; a work order's kind.
    Column("kind", String(40), nullable=False),
    # What the message is about, where that is not the problem: a change request or resolution.
    Column("subject", String(25)),
    Column("conversation_id", String(255), nullable=False),
    # The bytes as they are sent, fixed when the change was committed.
    Column("body", Text, nullable=False),
    Column("body_version", Integer, nullable=False),
    Column("contract", String(40), nullable=False),
    # queued | delivered | refused (dead letter) | expired (dead letter) | skipped
    Column("state", String(20), nullable=False),
    Column("not_before", InstantColumn),
    Column("attempts", Integer, nullable=False),
    Column("first_attempt", InstantColumn),
    # An attempt ended without an answer: the receiver may have it.
    Column("unknown", Boolean, nullable=False),
    Column("log", JSON, nullable=False),
    Column("digest", String(80)),
    # For a dead letter: the answer that refused it, the fields of the published envelope.
    Column("refusal", JSON(none_as_null=True)),
    # The first body, and why it was replaced: edited, late, withdrawn, noted.
    Column("original", Text),
    Column("mended", String(20)),
    # The back office's ticket for a work order.
    Column("back_office_id", String(100), index=True),
    Column("back_office_url", String(1000)),
    Column("created", InstantColumn, nullable=False),
    Column("settled", InstantColumn),
    UniqueConstraint("lane_id", "number"),
    partial_index("ix_message_queued", "lane_id", "number", where="state = 'queued'"),
    partial_index("ix_message_dead", "lane_id", "number", where="state IN ('refused', 'expired')"),
)

# Timers, due at a business time. `subject` names what the timer was set for.
timer = Table(
    "timer",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("problem_id", ForeignKey("service_problem.id"), index=True),
    Column("tenant", String(255), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("subject", String(64)),
    Column("data", JSON),
    Column("due_at", InstantColumn, nullable=False),
    Index("ix_timer_due", "due_at"),
    # Without deferred decisions: they may be many, and overdue for long.
    partial_index("ix_timer_no_decision", "due_at", where="kind <> 'decide'"),
)

# Back-office events with our answers: the same event id gets the same answer.
back_office_event = Table(
    "back_office_event",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("problem_id", ForeignKey("service_problem.id"), nullable=False),
    Column("event_id", String(100), nullable=False),
    Column("event", String(40), nullable=False),
    Column("fingerprint", String(80), nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("body", JSON, nullable=False),
    Column("created", InstantColumn, nullable=False),
    UniqueConstraint("problem_id", "event_id"),
)

incident = Table(
    "incident",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("code", String(64), nullable=False, unique=True),
    Column("text", Text),
    Column("declared", InstantColumn, nullable=False),
    Column("ended", InstantColumn),
    # declared | inventory: who says when it is over.
    Column("source", String(20), nullable=False, server_default="inventory"),
)

incident_service = Table(
    "incident_service",
    metadata,
    Column("incident_id", ForeignKey("incident.id"), primary_key=True),
    Column("service_id", String(50), primary_key=True),
    Index("ix_incident_service_service_id", "service_id"),
)

# The problems that were part of an incident, and when they last left it (machine time). A row goes
# with its problem, which the release before removes without knowing of this table.
incident_left = Table(
    "incident_left",
    metadata,
    Column("incident_id", ForeignKey("incident.id"), primary_key=True),
    Column(
        "problem_id",
        ForeignKey("service_problem.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    Column("at", InstantColumn, nullable=False),
)

# What else an incident is over: area, exchange, specification (problems/incident_coverage.py).
incident_scope = Table(
    "incident_scope",
    metadata,
    Column("incident_id", ForeignKey("incident.id"), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("value", String(255), primary_key=True),
    Index("ix_incident_scope_kind", "kind", "value"),
)

# Keys of the built-in token issuer: a token survives a restart and is valid at every web process.
signing_key = Table(
    "signing_key",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("private_pem", Text, nullable=False),
    Column("created", InstantColumn, nullable=False),
)
