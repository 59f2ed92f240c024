"""Dates in headers."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def http_date(text: str) -> datetime | None:
    """Read a date of HTTP (RFC 9110, section 5.6.7), aware; None if it is none, or absurd."""
    try:
        date = parsedate_to_datetime(text)
        # "-0000" stands for UTC without saying so.
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
