"""What is kept for how long."""

from datetime import timedelta

from supplier_api.operations.retention import Keep, RetentionChore
from supplier_api.problems.services import Services
from supplier_api.settings import Settings


def build_retention(settings: Settings, services: Services) -> RetentionChore:
    """Return what takes away what is older than the settings want it kept."""
    retention = settings.retention
    keep = Keep(
        bodies=timedelta(days=retention.thin_after_days),
        problems=timedelta(days=retention.prune_after_days),
        actions=timedelta(days=retention.actions_days),
        journal=timedelta(days=settings.sandbox.journal_days),
        batch=retention.batch,
        every=retention.every,
    )
    return RetentionChore(services, keep)
