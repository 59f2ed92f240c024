"""What sections of the settings are made of: their base, and the types of their values."""

import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from supplier_api.files import sqlite_path

_PSYCOPG = "postgresql+psycopg://"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class SectionSettings(BaseModel):
    """A group of settings that cannot change once it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def one_line(text: str) -> str:
    """Return the text; raises ValueError if it holds a line end or another control character."""
    if _CONTROL.search(text):
        raise ValueError("must be one line, without control characters")
    return text


Hours = Annotated[float, Field(gt=0)]
OneLine = Annotated[str, Field(min_length=1), AfterValidator(one_line)]


@dataclass(frozen=True)
class ConfigFile:
    """Marks a path that is looked for in the configuration folders."""


@dataclass(frozen=True)
class HoldsPassword:
    """Marks a URL that may hold a password: masked when shown, may be read from a file."""


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


Count = Annotated[int, Field(ge=1)]
Days = Annotated[float, Field(gt=0)]
# A cookie that signs somebody in does not travel in the clear.
ConsoleUrl = Annotated[
    str,
    of_form(
        r"(https://[^/?#@\s]+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?)/?\Z",
        "https://HOST, as in https://console.example:8443",
    ),
]
# Brackets belong into a URL; whoever copies them from one means the address.
Host = Annotated[
    str,
    Field(min_length=1),
    AfterValidator(one_line),
    AfterValidator(lambda host: host.strip("[]")),
]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]


def _one_line_secret(secret: SecretStr) -> SecretStr:
    one_line(secret.get_secret_value())
    return secret


Secret = Annotated[SecretStr, Field(min_length=1), AfterValidator(_one_line_secret)]


def _signing_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().removeprefix("whsec_")
    if re.fullmatch(r"[A-Za-z0-9+/]{16,}={0,2}", text) is None:
        raise ValueError("should be whsec_ and at least 16 characters of base64")
    return secret


# As Standard Webhooks writes it: base64, usually after whsec_.
SigningSecret = Annotated[SecretStr, AfterValidator(_signing_secret)]
Url = Annotated[
    str,
    of_form(r"https?://[^\s/]+", "a URL, as in https://gateway.example/kcis"),
    AfterValidator(readable_url),
]
DatabaseUrl = Annotated[
    str,
    of_form(
        r"(sqlite|postgresql(\+psycopg)?)://",
        "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
    ),
    AfterValidator(database_url),
    HoldsPassword(),
]
PostgresqlUrl = Annotated[
    DatabaseUrl, of_form("postgresql", "postgresql://USER:PASSWORD@HOST/NAME")
]
FileUrl = Annotated[
    str,
    of_form("sqlite:///", "sqlite:///FILE"),
    AfterValidator(database_url),
    HoldsPassword(),
]
