"""List the problems that changed, in order: those that are over have an index already."""

from supplier_api.db.migrate import build_index

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    build_index(
        "ix_service_problem_current",
        "service_problem",
        ["updated"],
        "base NOT IN ('REJECTED', 'CANCELLED', 'COMPLETED')",
    )
