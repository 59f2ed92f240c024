"""Tell whose a network incident is: declared by people, or named by the inventory.

What an older release stores, and what is stored already, is the inventory's: there was no way to
declare one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column that older code leaves to its default."""
    source: sa.Column[str] = sa.Column(
        "source", sa.String(length=20), server_default="inventory", nullable=False
    )
    op.add_column("incident", source)
