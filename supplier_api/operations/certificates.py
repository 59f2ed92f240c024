"""What is wrong with a server's certificate, as text."""

import math
import ssl
from datetime import datetime
from pathlib import Path

from cryptography import x509
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from supplier_api.http_client.connections import tls_context
from supplier_api.http_client.errors import distrust

# Of OpenSSL (openssl/x509_vfy.h).
NOT_YET_VALID, EXPIRED, OTHER_NAME, OTHER_ADDRESS = 9, 10, 62, 64
UNKNOWN_AUTHORITY = (18, 19)  # self-signed, itself or at the end of its chain
UNKNOWN_ISSUER = (20, 21)


def context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that trusts what our sessions trust: `ca_file`, or the usual authorities."""
    made = tls_context()
    made.load_verify_locations(cafile=str(ca_file or DEFAULT_CA_BUNDLE_PATH))
    return made


def unchecked() -> ssl.SSLContext:
    """Return a context that trusts any server: only to read a certificate that is not trusted."""
    lenient = ssl.create_default_context()
    lenient.check_hostname = False
    lenient.verify_mode = ssl.CERT_NONE
    return lenient


def describe(der: bytes, now: datetime) -> str:
    """Return whom a certificate names and for how many days it is valid."""
    certificate = x509.load_der_x509_certificate(der)
    left = math.floor((certificate.not_valid_after_utc - now).total_seconds() / 86400)
    holds = f"{left} days left" if left >= 0 else f"expired {-left} days ago"
    return f"for {', '.join(_names(certificate)) or 'no name'}; {holds}"


def cause(error: ssl.SSLError, ca_file: Path | None, der: bytes = b"") -> str:
    """Return the likely cause of a failed handshake; `der` is the certificate, if it was seen."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = (error.reason or type(error).__name__).replace("_", " ").lower()
        return f"no TLS ({reason}): is the port one of TLS, and of version 1.2 or later?"
    if error.verify_code in (OTHER_NAME, OTHER_ADDRESS):
        return _misnamed(der)
    trusted = f"{ca_file} does not hold it" if ca_file else "set gateway.ca_file"
    unknown = f"its authority is not one that we trust ({trusted})"
    causes = {
        EXPIRED: "the certificate has expired: the gateway's operator must renew it",
        NOT_YET_VALID: "the certificate is not valid yet: look at this machine's clock",
        **dict.fromkeys(UNKNOWN_AUTHORITY, f"{unknown}, or a proxy opens TLS up"),
        **dict.fromkeys(
            UNKNOWN_ISSUER,
            f"{unknown}, the server does not send those between, or a proxy opens TLS up",
        ),
    }
    untrusted = f"the certificate is not trusted: {distrust(error)} ({error.verify_message})"
    return causes.get(error.verify_code, untrusted)


def _misnamed(der: bytes) -> str:
    if der and not _names(x509.load_der_x509_certificate(der)):
        return (
            "the certificate names its host only in the common name, which nobody looks at any"
            " more: its operator must have it issued again with a subjectAltName"
        )
    return "the certificate is for another name: look at the host in the URL"


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        kind = x509.SubjectAlternativeName
        found = certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return []
    names = found.get_values_for_type(x509.DNSName)
    return [*names, *map(str, found.get_values_for_type(x509.IPAddress))]
