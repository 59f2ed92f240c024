"""Make the first tables."""

import sqlalchemy as sa
from alembic import op

from supplier_api.db.types import InstantColumn

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "incident",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("declared", InstantColumn(), nullable=False),
        sa.Column("ended", InstantColumn(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
        sa.UniqueConstraint("code", name=op.f("uq_incident_code")),
    )
    op.create_table(
        "service_problem",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant", sa.String(length=255), nullable=False),
        sa.Column("gateway_id", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.String(length=25), nullable=False),
        sa.Column("service_id", sa.String(length=50), nullable=False),
        sa.Column("conversation_id", sa.String(length=255), nullable=False),
        sa.Column("base", sa.String(length=20), nullable=False),
        sa.Column("waiting", sa.String(length=20), nullable=True),
        sa.Column("awaits", sa.String(length=20), nullable=True),
        sa.Column("asked", sa.String(length=20), nullable=True),
        sa.Column("incident", sa.String(length=64), nullable=True),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("next_kci", sa.Integer(), nullable=False),
        sa.Column("next_order", sa.Integer(), nullable=False),
        sa.Column("last_issued", InstantColumn(), nullable=True),
        sa.Column("reference_known", sa.Boolean(), nullable=False),
        sa.Column("doubtful", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("linked_to", sa.String(length=25), nullable=True),
        sa.Column("back_office_id", sa.String(length=100), nullable=True),
        sa.Column("back_office_url", sa.String(length=1000), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created", InstantColumn(), nullable=False),
        sa.Column("updated", InstantColumn(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_problem")),
        sa.UniqueConstraint("reference", name=op.f("uq_service_problem_reference")),
        sa.UniqueConstraint(
            "tenant", "gateway_id", name=op.f("uq_service_problem_tenant_gateway_id")
        ),
    )
    with op.batch_alter_table("service_problem", schema=None) as batch_op:
        batch_op.create_index("ix_service_problem_back_office_id", ["back_office_id"], unique=False)
        batch_op.create_index(
            "ix_service_problem_conversation_id", ["conversation_id"], unique=False
        )
        batch_op.create_index("ix_service_problem_incident", ["incident"], unique=False)
        batch_op.create_index(
            "ix_service_problem_service_id", ["tenant", "service_id"], unique=False
        )

    op.create_table(
        "signing_key",
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("private_pem", sa.Text(), nullable=False),
        sa.Column("created", InstantColumn(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_key")),
    )
    op.create_table(
        "back_office_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "problem_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("event_id", sa.String(length=100), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("fingerprint", sa.String(length=80), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("created", InstantColumn(), nullable=False),
        sa.ForeignKeyConstraint(
            ["problem_id"], ["service_problem.id"], name=op.f("fk_back_office_event_problem_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_back_office_event")),
        sa.UniqueConstraint(
            "problem_id", "event_id", name=op.f("uq_back_office_event_problem_id_event_id")
        ),
    )
    op.create_table(
        "change_request",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "problem_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("tenant", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("gateway_id", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.String(length=25), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("back_office_id", sa.String(length=100), nullable=True),
        sa.Column("back_office_url", sa.String(length=1000), nullable=True),
        sa.Column("created", InstantColumn(), nullable=False),
        sa.Column("decided", InstantColumn(), nullable=True),
        sa.ForeignKeyConstraint(
            ["problem_id"], ["service_problem.id"], name=op.f("fk_change_request_problem_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_request")),
        sa.UniqueConstraint("reference", name=op.f("uq_change_request_reference")),
        sa.UniqueConstraint(
            "tenant", "kind", "gateway_id", name=op.f("uq_change_request_tenant_kind_gateway_id")
        ),
    )
    with op.batch_alter_table("change_request", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_change_request_back_office_id"), ["back_office_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_change_request_problem_id"), ["problem_id"], unique=False
        )

    op.create_table(
        "decision",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant", sa.String(length=255), nullable=False),
        sa.Column("operation", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=25), nullable=False),
        sa.Column("fingerprint", sa.String(length=80), nullable=False),
        sa.Column(
            "problem_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("reference", sa.String(length=25), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.JSON(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("rule", sa.String(length=100), nullable=True),
        sa.Column("reasons", sa.JSON(), nullable=True),
        sa.Column("trace", sa.JSON(), nullable=True),
        sa.Column("book_version", sa.String(length=80), nullable=True),
        sa.Column("contract", sa.String(length=40), nullable=False),
        sa.Column("conversation_id", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=255), nullable=False),
        sa.Column("created", InstantColumn(), nullable=False),
        sa.Column("answered_late", InstantColumn(), nullable=True),
        sa.ForeignKeyConstraint(
            ["problem_id"], ["service_problem.id"], name=op.f("fk_decision_problem_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
        sa.UniqueConstraint(
            "tenant", "operation", "key", name=op.f("uq_decision_tenant_operation_key")
        ),
    )
    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_decision_problem_id"), ["problem_id"], unique=False)

    op.create_table(
        "incident_service",
        sa.Column(
            "incident_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("service_id", sa.String(length=50), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_incident_service_incident_id")
        ),
        sa.PrimaryKeyConstraint("incident_id", "service_id", name=op.f("pk_incident_service")),
    )
    with op.batch_alter_table("incident_service", schema=None) as batch_op:
        batch_op.create_index("ix_incident_service_service_id", ["service_id"], unique=False)

    op.create_table(
        "lane",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "problem_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("tenant", sa.String(length=255), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("due_at", InstantColumn(), nullable=True),
        sa.Column("not_before", InstantColumn(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(length=100), nullable=True),
        sa.Column("lease_until", InstantColumn(), nullable=True),
        sa.Column("claim_no", sa.Integer(), nullable=False),
        sa.Column("parked", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["problem_id"], ["service_problem.id"], name=op.f("fk_lane_problem_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lane")),
        sa.UniqueConstraint(
            "problem_id", "destination", name=op.f("uq_lane_problem_id_destination")
        ),
    )
    with op.batch_alter_table("lane", schema=None) as batch_op:
        batch_op.create_index(
            "ix_lane_due",
            ["destination", "due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL AND NOT parked"),
            postgresql_where=sa.text("due_at IS NOT NULL AND NOT parked"),
        )

    op.create_table(
        "resolution",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "problem_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("reference", sa.String(length=25), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("sla_violation", sa.JSON(), nullable=True),
        sa.Column("tenant_notes", sa.Text(), nullable=True),
        sa.Column("resolved_date", InstantColumn(), nullable=False),
        sa.Column("closed_date", InstantColumn(), nullable=True),
        sa.Column("taken", InstantColumn(), nullable=True),
        sa.ForeignKeyConstraint(
            ["problem_id"], ["service_problem.id"], name=op.f("fk_resolution_problem_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resolution")),
        sa.UniqueConstraint("reference", name=op.f("uq_resolution_reference")),
    )
    with op.batch_alter_table("resolution", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_resolution_problem_id"), ["problem_id"], unique=False)

    op.create_table(
        "timer",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "problem_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("tenant", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=True),
        sa.Column("data", sa.JSON(), nullable=True),
        sa.Column("due_at", InstantColumn(), nullable=False),
        sa.ForeignKeyConstraint(
            ["problem_id"], ["service_problem.id"], name=op.f("fk_timer_problem_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timer")),
    )
    with op.batch_alter_table("timer", schema=None) as batch_op:
        batch_op.create_index("ix_timer_due", ["due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_timer_problem_id"), ["problem_id"], unique=False)

    op.create_table(
        "message",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("lane_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=25), nullable=True),
        sa.Column("conversation_id", sa.String(length=255), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("body_version", sa.Integer(), nullable=False),
        sa.Column("contract", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("not_before", InstantColumn(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_attempt", InstantColumn(), nullable=True),
        sa.Column("unknown", sa.Boolean(), nullable=False),
        sa.Column("log", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=True),
        sa.Column("back_office_id", sa.String(length=100), nullable=True),
        sa.Column("back_office_url", sa.String(length=1000), nullable=True),
        sa.Column("created", InstantColumn(), nullable=False),
        sa.Column("settled", InstantColumn(), nullable=True),
        sa.ForeignKeyConstraint(["lane_id"], ["lane.id"], name=op.f("fk_message_lane_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("lane_id", "number", name=op.f("uq_message_lane_id_number")),
        sa.UniqueConstraint("uuid", name=op.f("uq_message_uuid")),
    )
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.create_index(
            "ix_message_queued",
            ["lane_id", "number"],
            unique=False,
            sqlite_where=sa.text("state = 'queued'"),
            postgresql_where=sa.text("state = 'queued'"),
        )
        batch_op.create_index(
            batch_op.f("ix_message_back_office_id"), ["back_office_id"], unique=False
        )
