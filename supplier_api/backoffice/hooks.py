"""Who may send webhooks: a signature as Standard Webhooks says, or a token."""

import base64
import hashlib
from collections.abc import Mapping
from hmac import compare_digest

from standardwebhooks import Webhook, WebhookVerificationError

from supplier_api.logging import get_logger
from supplier_api.settings.model import BackOfficeSettings

ID = "webhook-id"
SIGNATURE = "webhook-signature"
ID_MAX = 255
HEADER_MAX = 1000  # characters of a header that is kept
# Headers that begin so say what a webhook is about, but for those that prove who sent it.
KEPT = ("content-type", "webhook-", "x-")
PROOFS = ("auth", "key", "secret", "signature", "token", "x-forwarded-")
log = get_logger(__name__)


class Hook:
    """The hook of the adapter in the settings: its name, and what opens it."""

    def __init__(self, settings: BackOfficeSettings) -> None:
        """Read the settings; the hook is closed where they hold neither a secret nor a token."""
        secret, token = settings.hook_secret, settings.hook_token
        self._webhook = Webhook(secret.get_secret_value()) if secret else None
        self._token = token.get_secret_value().encode() if token else None
        self.name = settings.adapter if secret or token else None

    def admits(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Return whether a webhook proves by signature or token that it is of the back office.

        Header names are in lower case. One that is signed must be signed well, whatever its token.
        Why one is not admitted is logged: who sent it is not told.
        """
        if self._webhook and (SIGNATURE in headers or self._token is None):
            why = _fault(self._webhook, headers, body)
        elif self._token and compare_digest(_credential(headers), self._token):
            why = None
        else:
            why = "not the token"
        if why:
            log.info("hook.refused", hook=self.name, why=why)
        return why is None


def _fault(webhook: Webhook, headers: Mapping[str, str], body: bytes) -> str | None:
    """Return what is wrong with a signature, or None; the library's texts are its own words."""
    try:
        webhook.verify(body, dict(headers), json_parse=False)
    except WebhookVerificationError as error:
        return str(error)
    except ValueError:  # what is no base64, no UTF-8
        return "No signature can be read"
    return None


def key_of(headers: Mapping[str, str], body: bytes) -> str:
    """Return what a webhook is known by: the sender's own id of it, or a digest of its body."""
    named = headers.get(ID, "")
    if 0 < len(named) <= ID_MAX and named.isprintable():
        return named
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that an adapter may need to read a webhook; never a secret."""
    return {
        name: value[:HEADER_MAX]
        for name, value in headers.items()
        if name.startswith(KEPT) and not any(proof in name for proof in PROOFS)
    }


def _credential(headers: Mapping[str, str]) -> bytes:
    """Return the bearer token, or the password of Basic (RFC 7617); empty if there is neither."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode()
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(value, validate=True).partition(b":")[2]
    except ValueError:
        return b""
