"""Keep pauses, switches, processes and what operators did."""

import sqlalchemy as sa
from alembic import op

from supplier_api.db.types import InstantColumn

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN_BREAKER = "cause = 'breaker' AND until IS NULL"


def upgrade() -> None:
    """Add tables, and columns that older code can leave empty; the indexes come next."""
    _add_tables()
    _add_pauses()
    _add_columns()


def _add_tables() -> None:
    op.create_table(
        "process",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("book_version", sa.String(length=80), nullable=True),
        sa.Column("started", InstantColumn(), nullable=False),
        sa.Column("seen", InstantColumn(), nullable=False),
        sa.Column("ended", InstantColumn(), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_process")),
    )
    op.create_table(
        "stamp",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("environment", sa.String(length=255), nullable=False),
        sa.Column("kci_host", sa.String(length=255), nullable=False),
        sa.Column("at", InstantColumn(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stamp")),
    )
    op.create_table(
        "switch",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", InstantColumn(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_switch")),
    )
    op.create_table(
        "operator_action",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("at", InstantColumn(), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=True),
        sa.Column("tenant", sa.String(length=255), nullable=True),
        sa.Column("problem_id", _ROW_ID, nullable=True),
        sa.Column("message", sa.String(length=36), nullable=True),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["problem_id"], ["service_problem.id"], name=op.f("fk_operator_action_problem_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_action")),
    )
    for column in ("at", "message", "problem_id"):
        op.create_index(f"ix_operator_action_{column}", "operator_action", [column])


def _add_pauses() -> None:
    op.create_table(
        "pause",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("cause", sa.String(length=20), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=True),
        sa.Column("tenant", sa.String(length=255), nullable=True),
        sa.Column("problem_id", _ROW_ID, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("since", InstantColumn(), nullable=False),
        sa.Column("until", InstantColumn(), nullable=True),
        sa.Column("probe_at", InstantColumn(), nullable=True),
        sa.Column("probes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("probe_lane", sa.BigInteger(), nullable=True),
        sa.Column("probe_owner", sa.String(length=100), nullable=True),
        sa.Column("probe_until", InstantColumn(), nullable=True),
        sa.ForeignKeyConstraint(
            ["problem_id"], ["service_problem.id"], name=op.f("fk_pause_problem_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pause")),
    )
    op.create_index(
        "ix_pause_open_breaker",
        "pause",
        ["destination"],
        unique=True,
        sqlite_where=sa.text(OPEN_BREAKER),
        postgresql_where=sa.text(OPEN_BREAKER),
    )
    op.create_index("ix_pause_problem_id", "pause", ["problem_id"])
    op.create_index("ix_pause_until", "pause", ["until"])


def _add_columns() -> None:
    for name in ("committed", "thinned"):
        op.add_column("decision", sa.Column(name, InstantColumn(), nullable=True))
    op.add_column("decision", sa.Column("process", sa.String(length=100), nullable=True))
    op.add_column("message", sa.Column("refusal", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("message", sa.Column("original", sa.Text(), nullable=True))
    op.add_column("message", sa.Column("mended", sa.String(length=20), nullable=True))
    untold: sa.Column[bool] = sa.Column(
        "back_office_untold", sa.Boolean(), server_default=sa.false(), nullable=False
    )
    op.add_column("service_problem", untold)
    op.add_column("service_problem", sa.Column("thinned", InstantColumn(), nullable=True))
    op.add_column("journal", sa.Column("written", InstantColumn(), nullable=True))
    left_out: sa.Column[object] = sa.Column("left_out", sa.JSON(none_as_null=True), nullable=True)
    op.add_column("service_problem", left_out)
