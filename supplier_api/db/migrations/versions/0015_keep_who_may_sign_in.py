"""Keep people who may sign in, their sessions, and where an operator acted from."""

import sqlalchemy as sa
from alembic import op

from supplier_api.db.migrate import build_index
from supplier_api.db.types import InstantColumn

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Build the indexes first, beside the writers; then add tables and a column in one go."""
    for column in ("who", "action"):
        build_index(f"ix_operator_action_{column}", "operator_action", [column, "id"])
    op.add_column("operator_action", sa.Column("address", sa.String(length=64), nullable=True))
    _add_users()
    _add_signing_in()


def _add_users() -> None:
    op.create_table(
        "console_user",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("created", InstantColumn(), nullable=False),
        sa.Column("disabled", InstantColumn(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_console_user")),
        sa.UniqueConstraint("name", name=op.f("uq_console_user_name")),
    )
    op.create_table(
        "console_session",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", _ROW_ID, nullable=True),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("since", InstantColumn(), nullable=False),
        sa.Column("seen", InstantColumn(), nullable=False),
        sa.Column("ends", InstantColumn(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["console_user.id"], name=op.f("fk_console_session_user_id")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_console_session")),
    )
    for column in ("user_id", "ends"):
        op.create_index(f"ix_console_session_{column}", "console_session", [column])


def _add_signing_in() -> None:
    op.create_table(
        "sign_in_link",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("ends", InstantColumn(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sign_in_link")),
    )
    op.create_index("ix_sign_in_link_ends", "sign_in_link", ["ends"])
    op.create_table(
        "sign_in_failure",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("until", InstantColumn(), nullable=False),
        sa.Column("ends", InstantColumn(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_failure")),
    )
    op.create_index("ix_sign_in_failure_ends", "sign_in_failure", ["ends"])
