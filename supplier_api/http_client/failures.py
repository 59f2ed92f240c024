"""What went wrong with a call, in words: by its kind, for its text may hold anything."""

import os
import re
import socket
import ssl
from http.client import HTTPException, IncompleteRead, RemoteDisconnected

import requests
import urllib3

# The first that fits is told: a narrower kind stands before a wider one.
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
