"""Why the desk did not do what it was asked. Whatever raises these leaves no trace in the store."""

from collections.abc import Sequence

from supplier_api.contract.codes import ErrorCode


class Unavailable(Exception):
    """Nothing was done; the caller may try again after `retry_after` seconds (503)."""

    def __init__(self, why: str, retry_after: int = 2) -> None:
        """Keep the reason for the log and the time for the caller."""
        self.retry_after = retry_after
        super().__init__(why)


class EventRefused(Exception):
    """An answer of 422 that is not kept: a later request with the same id is judged afresh."""

    def __init__(self, code: ErrorCode, messages: Sequence[str]) -> None:
        """Say why, in words that may be passed on to the tenant."""
        self.code = code
        self.messages = list(messages)
        super().__init__("; ".join(messages))


class Incomplete(Exception):
    """An event lacks what the KCI it leads to must carry."""

    def __init__(self, event: str, missing: Sequence[str]) -> None:
        """Name the event and the fields."""
        self.messages = [f"{field}: missing; {event} must carry it" for field in missing]
        super().__init__("; ".join(self.messages))
