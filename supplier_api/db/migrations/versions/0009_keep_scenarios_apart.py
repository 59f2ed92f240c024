"""Keep the scenarios that testers choose in a table of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, with what problems carried until now; it stays empty outside the sandbox."""
    op.create_table(
        "scenario_choice",
        sa.Column("tenant", sa.String(length=255), nullable=False),
        sa.Column("operation", sa.String(length=40), nullable=False),
        sa.Column("gateway_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("plays", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "operation", "gateway_id", name=op.f("pk_scenario_choice")
        ),
    )
    op.execute(
        "INSERT INTO scenario_choice (tenant, operation, gateway_id, plays)"
        " SELECT tenant, 'problem', gateway_id, scenario FROM service_problem"
        " WHERE scenario IS NOT NULL"
    )
