"""Errors of the use cases. Whatever raises one of these has stored nothing."""

from collections.abc import Sequence

from supplier_api.contract import refusals


class Unavailable(Exception):
    """Nothing was stored; the caller may try again after `retry_after` seconds (503)."""

    def __init__(self, why: str, retry_after: int = 2) -> None:
        """Keep the reason for the log and the time for the caller."""
        self.retry_after = retry_after
        super().__init__(why)


class Incomplete(Exception):
    """An event lacks a field that its KCI must carry."""

    def __init__(self, event: str, missing: Sequence[str]) -> None:
        """Name the event and the fields."""
        lacking = [{"path": field, "event": event} for field in missing]
        self.refused = refusals.EVENT_INCOMPLETE.errors(lacking)
        self.messages = self.refused.messages
        super().__init__("; ".join(self.messages))
