"""Whether the back office's system answers, without any effect there."""

from supplier_api.backoffice.port import Pings
from supplier_api.http_client.errors import in_words


class PingFailed(Exception):
    """The system does not answer; the text says why."""


def ping(adapter: Pings) -> str:
    """Return what the adapter says of its system; raises PingFailed."""
    try:
        return str(adapter.ping() or "reached")
    except Exception as error:
        raise PingFailed(in_words(error)) from error
