"""Keep which problems have left a network incident.

Those that left before are not known.
"""

import sqlalchemy as sa
from alembic import op

from supplier_api.db.types import InstantColumn

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add a table that older code knows nothing of."""
    op.create_table(
        "incident_left",
        sa.Column("incident_id", _ROW_ID, nullable=False),
        sa.Column("problem_id", _ROW_ID, nullable=False),
        sa.Column("at", InstantColumn(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_incident_left_incident_id_incident")
        ),
        sa.ForeignKeyConstraint(
            ["problem_id"],
            ["service_problem.id"],
            name=op.f("fk_incident_left_problem_id_service_problem"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("incident_id", "problem_id", name=op.f("pk_incident_left")),
    )
    op.create_index(op.f("ix_incident_left_problem_id"), "incident_left", ["problem_id"])
