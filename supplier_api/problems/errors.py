"""Errors of the use cases. Whatever raises one of these has stored nothing."""

from collections.abc import Sequence

from supplier_api.contract.codes import ErrorCode


class Unavailable(Exception):
    """Nothing was stored; the caller may try again after `retry_after` seconds (503)."""

    def __init__(self, why: str, retry_after: int = 2) -> None:
        """Keep the reason for the log and the time for the caller."""
        self.retry_after = retry_after
        super().__init__(why)


class RequestRefused(Exception):
    """An answer of 422 that is not stored: a later request with the same id is decided anew."""

    def __init__(self, code: ErrorCode, messages: Sequence[str]) -> None:
        """Keep the code and the messages; the messages may be passed on to the tenant."""
        self.code = code
        self.messages = list(messages)
        super().__init__("; ".join(messages))


class Incomplete(Exception):
    """An event lacks a field that its KCI must carry."""

    def __init__(self, event: str, missing: Sequence[str]) -> None:
        """Name the event and the fields."""
        self.messages = [f"{field}: missing; {event} must carry it" for field in missing]
        super().__init__("; ".join(self.messages))
