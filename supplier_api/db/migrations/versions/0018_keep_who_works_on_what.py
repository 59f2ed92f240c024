"""Keep who works on what, and count problems by their state: an index, built beside the writers."""

from supplier_api.db.migrate import build_index

revision = "0018"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    build_index(
        "ix_service_problem_state",
        "service_problem",
        ["base", "waiting", "asked"],
        "base NOT IN ('REJECTED', 'CANCELLED', 'COMPLETED')",
    )
