"""Keep each tenant's clock, and what testers set for a tenant."""

import sqlalchemy as sa
from alembic import op

from supplier_api.db.types import InstantColumn

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table of clocks and one of settings; both stay empty outside the sandbox."""
    op.create_table(
        "business_clock",
        sa.Column("tenant", sa.String(length=255), nullable=False),
        sa.Column("ahead", sa.BigInteger(), nullable=False),
        sa.Column("stands_at", InstantColumn(), nullable=True),
        sa.Column("target", InstantColumn(), nullable=True),
        sa.Column("runs_on", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_business_clock")),
    )
    op.create_table(
        "tenant_setting",
        sa.Column("tenant", sa.String(length=255), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("destination", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_tenant_setting")),
    )
