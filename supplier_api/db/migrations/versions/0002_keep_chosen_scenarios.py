"""Keep the scenarios that testers choose."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what was chosen to the problem, and a table of defaults."""
    op.add_column("service_problem", sa.Column("scenario", sa.JSON(), nullable=True))
    op.create_table(
        "scenario_default",
        sa.Column("tenant", sa.String(length=255), nullable=False),
        sa.Column("conversation_id", sa.String(length=255), nullable=False),
        sa.Column("scenarios", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "conversation_id", name=op.f("pk_scenario_default")),
    )
