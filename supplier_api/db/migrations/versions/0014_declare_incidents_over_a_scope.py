"""Declare network incidents over a scope, and know where a problem is and whose child it is.

What is stored already has neither: it joins by its service, as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add a table, and columns that older code leaves empty."""
    op.create_table(
        "incident_scope",
        sa.Column("incident_id", _ROW_ID, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_incident_scope_incident_id")
        ),
        sa.PrimaryKeyConstraint("incident_id", "kind", "value", name=op.f("pk_incident_scope")),
    )
    op.create_index("ix_incident_scope_kind", "incident_scope", ["kind", "value"])
    for name, length in (("area", 255), ("exchange", 255), ("parent", 25)):
        column: sa.Column[str] = sa.Column(name, sa.String(length=length), nullable=True)
        op.add_column("service_problem", column)
    unknown: sa.Column[bool] = sa.Column(
        "parent_unknown", sa.Boolean(), server_default=sa.false(), nullable=False
    )
    op.add_column("service_problem", unknown)
