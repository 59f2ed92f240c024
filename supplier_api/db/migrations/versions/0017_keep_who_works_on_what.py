"""Keep who works on what, and count problems by their state: an index, built beside the writers."""

import sqlalchemy as sa
from alembic import op

from supplier_api.db.migrate import build_index
from supplier_api.db.types import InstantColumn

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index, and a table that older code knows nothing of."""
    build_index(
        "ix_service_problem_state",
        "service_problem",
        ["base", "waiting", "asked"],
        "base NOT IN ('REJECTED', 'CANCELLED', 'COMPLETED')",
    )
    op.create_table(
        "work_item",
        sa.Column("reference", sa.String(length=25), nullable=False),
        sa.Column(
            "problem_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("message", sa.String(length=36), nullable=True),
        sa.Column("created", InstantColumn(), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=True),
        sa.Column("taken", InstantColumn(), nullable=True),
        sa.ForeignKeyConstraint(
            ["problem_id"],
            ["service_problem.id"],
            name=op.f("fk_work_item_problem_id_service_problem"),
        ),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_work_item")),
    )
    op.create_index(op.f("ix_work_item_problem_id"), "work_item", ["problem_id"])
    op.create_index(
        "ix_work_item_order",
        "work_item",
        ["created"],
        sqlite_where=sa.text("message IS NOT NULL"),
        postgresql_where=sa.text("message IS NOT NULL"),
    )
    op.create_index(
        "ix_work_item_who",
        "work_item",
        ["who"],
        sqlite_where=sa.text("who IS NOT NULL"),
        postgresql_where=sa.text("who IS NOT NULL"),
    )
