"""What is wrong with a server's certificate, in words."""

import math
import ssl
from datetime import datetime
from pathlib import Path

from cryptography import x509
from requests.utils import DEFAULT_CA_BUNDLE_PATH

# Of OpenSSL (openssl/x509_vfy.h).
NOT_YET_VALID, EXPIRED, SELF_SIGNED, SELF_SIGNED_CHAIN = 9, 10, 18, 19
NO_ISSUER, NO_ISSUER_AT_ALL, OTHER_NAME, OTHER_ADDRESS = 20, 21, 62, 64
UNKNOWN_AUTHORITY = {SELF_SIGNED, SELF_SIGNED_CHAIN, NO_ISSUER, NO_ISSUER_AT_ALL}


def context(ca_file: Path | None) -> ssl.SSLContext:
    """Return what trusts as our sessions do: the authorities of the file, or the usual ones."""
    return ssl.create_default_context(cafile=str(ca_file or DEFAULT_CA_BUNDLE_PATH))


def unchecked() -> ssl.SSLContext:
    """Return what trusts anybody: only to look at a certificate that is not trusted."""
    lenient = ssl.create_default_context()
    lenient.check_hostname = False
    lenient.verify_mode = ssl.CERT_NONE
    return lenient


def describe(der: bytes, now: datetime) -> str:
    """Say whom a certificate names and for how many days it still holds."""
    certificate = x509.load_der_x509_certificate(der)
    left = math.floor((certificate.not_valid_after_utc - now).total_seconds() / 86400)
    holds = f"{left} days left" if left >= 0 else f"expired {-left} days ago"
    return f"for {', '.join(_names(certificate)) or 'no name'}; {holds}"


def cause(error: ssl.SSLError, ca_file: Path | None) -> str:
    """Return the likely cause of a failed handshake."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = (error.reason or type(error).__name__).replace("_", " ").lower()
        return f"no TLS ({reason}): is the port one of TLS, and of version 1.2 or later?"
    code = error.verify_code
    if code == EXPIRED:
        return "the certificate has expired: the gateway's operator must renew it"
    if code == NOT_YET_VALID:
        return "the certificate is not valid yet: look at this machine's clock"
    if code in (OTHER_NAME, OTHER_ADDRESS):
        return "the certificate is for another name: look at the host in the URL"
    if code in UNKNOWN_AUTHORITY:
        trusted = f"{ca_file} does not hold it" if ca_file else "set gateway.ca_file"
        return f"its authority is not one that we trust ({trusted}), or a proxy opens TLS up"
    return error.verify_message


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        kind = x509.SubjectAlternativeName
        found = certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return []
    names = found.get_values_for_type(x509.DNSName)
    return [*names, *map(str, found.get_values_for_type(x509.IPAddress))]
