"""Find open problems to which nothing has happened for long: an index, built beside the writers."""

from supplier_api.db.migrate import build_index

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    build_index(
        "ix_service_problem_open",
        "service_problem",
        ["updated"],
        "base IN ('ACKNOWLEDGED', 'IN_PROGRESS')",
    )
