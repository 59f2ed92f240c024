"""How a server's certificate is verified, and why one is not trusted, as text.

Python 3.13 began to verify more strictly by default, and to trust what `ca_file` contains without
its root. Here the rules are the same on every version that we support: a certificate of the file is
trusted, whether it is a root, an issuing authority or the server's own; extensions that RFC 5280
requires and many private authorities lack are not required; the name must be in subjectAltName.
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
    """Return the context a server is verified with; the authorities are still to be loaded."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.hostname_checks_common_name = False
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return made


def distrust(error: ssl.SSLCertVerificationError) -> str:
    """Return why a certificate is not trusted; the library's own text names hosts."""
    return _REASONS.get(error.verify_code, f"code {error.verify_code} of OpenSSL")
