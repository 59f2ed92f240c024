"""How a server's certificate is checked, and why one is not trusted, in words.

Python 3.13 began to check more strictly by default, and to trust what `ca_file` holds without its
root. Here the same holds on every version that we run on: a certificate of the file is trusted,
whether it is a root, an issuing authority or the server's own; extensions that RFC 5280 wants and
many private authorities lack are not insisted on; the name must stand in subjectAltName.
"""

import ssl

# Of OpenSSL (openssl/x509_vfy.h): X509_V_ERR_...
_AUTHORITY = "not from a known authority"
_NAME = "for another name"
_PURPOSE = "its issuer may not issue certificates"
_REASONS = {
    3: "its issuer's revocation list is missing",
    7: "its signature is not its issuer's",
    9: "not valid yet",
    10: "expired",
    18: _AUTHORITY,
    19: _AUTHORITY,
    20: _AUTHORITY,
    21: _AUTHORITY,
    22: "its chain is too long",
    23: "revoked",
    24: _PURPOSE,
    25: "its chain is longer than its authority allows",
    26: "not made for servers",
    32: _PURPOSE,
    62: _NAME,
    64: _NAME,
    66: "its key is too short",
    67: "its authority's key is too short",
    68: "signed in a way that is too weak",
    79: _PURPOSE,
}


def context() -> ssl.SSLContext:
    """Return what a server is checked with; the authorities are still to be loaded."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.hostname_checks_common_name = False
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return made


def distrust(error: ssl.SSLCertVerificationError) -> str:
    """Say why a certificate is not trusted; the library's own text names hosts."""
    return _REASONS.get(error.verify_code, f"code {error.verify_code} of OpenSSL")
