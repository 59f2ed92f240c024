"""Keep the facts that a rule book decided on, so that a draft of it can decide on them again."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column that older code leaves empty."""
    op.add_column("decision", sa.Column("facts", sa.JSON(), nullable=True))
