"""Find what operators and retention look for.

Of indexes alone, on tables that are in use: each is built beside the writers, and what was built
before a revision broke off is left as it is.
"""

from supplier_api.db.migrate import build_index

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

DEAD = "state IN ('refused', 'expired')"
OVER = "base IN ('REJECTED', 'CANCELLED', 'COMPLETED')"
REFUSED = "coalesce(problem_id, 0) = 0 AND status IS NOT NULL"


def upgrade() -> None:
    """Add the indexes."""
    build_index("ix_decision_committed", "decision", ["committed"])
    for name, table, columns, where in (
        ("ix_decision_answered_late", "decision", ["answered_late"], "answered_late IS NOT NULL"),
        ("ix_decision_refused", "decision", ["created"], REFUSED),
        ("ix_decision_refused_whole", "decision", ["created"], f"{REFUSED} AND thinned IS NULL"),
        ("ix_lane_parked", "lane", ["destination"], "parked"),
        ("ix_message_dead", "message", ["lane_id", "number"], DEAD),
        ("ix_service_problem_undecided", "service_problem", ["created"], "base = 'UNDECIDED'"),
        ("ix_service_problem_doubtful", "service_problem", ["created"], "doubtful"),
        ("ix_service_problem_untold", "service_problem", ["updated"], "back_office_untold"),
        ("ix_change_request_pending", "change_request", ["created"], "status = 'PENDING'"),
        ("ix_service_problem_over", "service_problem", ["updated"], OVER),
        ("ix_service_problem_whole", "service_problem", ["updated"], f"{OVER} AND thinned IS NULL"),
        ("ix_timer_no_decision", "timer", ["due_at"], "kind <> 'decide'"),
    ):
        build_index(name, table, columns, where)
