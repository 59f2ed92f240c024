"""What went wrong with a call, in words: by its kind, for its text may hold anything."""

import os
import re
import socket
import ssl
from http.client import HTTPException, IncompleteRead, RemoteDisconnected

import requests
import urllib3

# The first that fits is shown: a narrower kind comes before a wider one.
_WORDS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (RemoteDisconnected, "connection closed without an answer"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "connection reset"),
    ((BrokenPipeError, ConnectionAbortedError), "connection closed"),
    (socket.gaierror, "host name not found"),
    (ssl.SSLCertVerificationError, "certificate not trusted"),
    (ssl.SSLError, "TLS failed"),
    (
        (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError),
        "no answer in time",
    ),
    (IncompleteRead, "the answer broke off"),
    (HTTPException, "the answer is not proper HTTP"),
    (requests.JSONDecodeError, "the answer is not JSON"),
)
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


def innermost(error: BaseException) -> BaseException:
    """Return what an error goes back to."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def in_words(error: BaseException) -> str:
    """Return the kind of an error in a few words, as in `connection refused`."""
    for kinds, words in _WORDS:
        if isinstance(error, kinds):
            return words
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()


def why(error: BaseException) -> str:
    """Return in words what an error goes back to."""
    return in_words(innermost(error))


def distrust(error: ssl.SSLCertVerificationError) -> str:
    """Return why a certificate is not trusted; the library's own text names hosts."""
    return _REASONS.get(error.verify_code, f"code {error.verify_code} of OpenSSL")
