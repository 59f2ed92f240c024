"""What holds of every text that is set: one line, and of a URL that its parts can be read."""

import re
from urllib.parse import urlsplit

from pydantic import AfterValidator

from supplier_api.files import sqlite_path

LINE_ENDS = "\r\n"
BYTE_ORDER_MARK = "\ufeff"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Kubernetes sets NAME_PORT to this for each service of a namespace, whatever it is called.
_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://\S+")
_PSYCOPG = "postgresql+psycopg://"


def trimmed(text: str) -> str:
    """Return a text without what editors and shells put around it unseen.

    That is a byte order mark before it, and line ends behind it.
    """
    return text.removeprefix(BYTE_ORDER_MARK).rstrip(LINE_ENDS)


def is_service_link(text: str) -> bool:
    """Tell whether the value of a variable is the address that Kubernetes gives a service."""
    return _SERVICE_LINK.fullmatch(text) is not None


def one_line(text: str) -> str:
    """Return the text; raises ValueError if it holds a line end or another control character."""
    if _CONTROL.search(text):
        raise ValueError("must be one line, without control characters")
    return text


def of_form(pattern: str, expected: str) -> AfterValidator:
    """Return a check that a text begins with what fits `pattern`; `expected` says so in words."""

    def check(text: str) -> str:
        if re.match(pattern, text) is None:
            raise ValueError(f"should be {expected}")
        return text

    return AfterValidator(check)


def readable_url(url: str) -> str:
    """Return the URL; raises ValueError if its host or port cannot be read."""
    one_line(url)
    try:
        urlsplit(url).port  # noqa: B018 - reading it is the check
    except ValueError as error:
        # urllib's text may quote a password where it took one for a port.
        reason = "Invalid IPv6 URL" if "IPv6" in str(error) else "the port is no number up to 65535"
        raise ValueError(f"cannot be read as a URL: {reason}") from None
    return url


def database_url(url: str) -> str:
    """Return the URL of a database with its driver; raises ValueError.

    psycopg is the one driver that comes with us: it need not be named.
    """
    if not url.startswith("sqlite"):
        return readable_url(url.replace("postgresql://", _PSYCOPG, 1))
    if sqlite_path(one_line(url)) is None:
        raise ValueError("must name a file, as in sqlite:////var/lib/supplier_api/supplier.db")
    return url
