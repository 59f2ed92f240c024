"""Keep the faults that testers set."""

import sqlalchemy as sa
from alembic import op

from supplier_api.db.types import InstantColumn

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table of faults; it stays empty outside the sandbox."""
    op.create_table(
        "fault",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant", sa.String(length=255), nullable=False),
        sa.Column("conversation_id", sa.String(length=255), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("operations", sa.JSON(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=True),
        sa.Column("ends", InstantColumn(), nullable=True),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("hit", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fault")),
        sa.UniqueConstraint(
            "tenant",
            "conversation_id",
            "direction",
            "kind",
            name=op.f("uq_fault_tenant_conversation_id_direction_kind"),
        ),
    )
