"""Keep which ticket is whose, those that are apart, webhooks, and how far was polled."""

import sqlalchemy as sa
from alembic import op

from supplier_api.db.types import InstantColumn

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UNTOLD = sa.text("told IS NULL")
_DUE = sa.text("due_at IS NOT NULL")
_FAILED = sa.text("state = 'failed'")


def upgrade() -> None:
    """Add tables; older code knows nothing of them."""
    _add_tickets()
    _add_apart()
    _add_inbox()
    op.create_table(
        "poll_cursor",
        sa.Column("adapter", sa.String(length=100), nullable=False),
        sa.Column("since", InstantColumn(), nullable=False),
        sa.Column("polled", InstantColumn(), nullable=False),
        sa.PrimaryKeyConstraint("adapter", name=op.f("pk_poll_cursor")),
    )


def _add_tickets() -> None:
    op.create_table(
        "ticket",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("adapter", sa.String(length=100), nullable=False),
        sa.Column("ticket", sa.String(length=100), nullable=False),
        sa.Column("problem_id", _ROW_ID, nullable=False),
        sa.Column("change_reference", sa.String(length=25), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("heard", InstantColumn(), nullable=True),
        sa.ForeignKeyConstraint(
            ["problem_id"], ["service_problem.id"], name=op.f("fk_ticket_problem_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket")),
        sa.UniqueConstraint("adapter", "ticket", name=op.f("uq_ticket_adapter_ticket")),
    )
    op.create_index("ix_ticket_problem_id", "ticket", ["problem_id"])


def _add_apart() -> None:
    op.create_table(
        "ticket_apart",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("adapter", sa.String(length=100), nullable=False),
        sa.Column("ticket", sa.String(length=100), nullable=False),
        sa.Column("problem_id", _ROW_ID, nullable=True),
        sa.Column("cause", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("snapshot", sa.JSON(), nullable=False),
        sa.Column("since", InstantColumn(), nullable=False),
        sa.Column("updated", InstantColumn(), nullable=False),
        sa.Column("told", InstantColumn(), nullable=True),
        sa.ForeignKeyConstraint(
            ["problem_id"], ["service_problem.id"], name=op.f("fk_ticket_apart_problem_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_apart")),
        sa.UniqueConstraint("adapter", "ticket", name=op.f("uq_ticket_apart_adapter_ticket")),
    )
    op.create_index("ix_ticket_apart_problem_id", "ticket_apart", ["problem_id"])
    op.create_index(
        "ix_ticket_apart_untold",
        "ticket_apart",
        ["updated"],
        sqlite_where=_UNTOLD,
        postgresql_where=_UNTOLD,
    )


def _add_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("hook", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("received", InstantColumn(), nullable=False),
        sa.Column("due_at", InstantColumn(), nullable=True),
        sa.Column("settled", InstantColumn(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("hook", "key", name=op.f("uq_inbox_hook_key")),
    )
    op.create_index("ix_inbox_due", "inbox", ["due_at"], sqlite_where=_DUE, postgresql_where=_DUE)
    op.create_index(
        "ix_inbox_failed", "inbox", ["id"], sqlite_where=_FAILED, postgresql_where=_FAILED
    )
    op.create_index("ix_inbox_received", "inbox", ["received"])
