"""The published messages: how they are read, checked, compared and refused. No web framework.

    document = load(messages.SERVICE_PROBLEM_REQUEST, read_json(body))

A document is a plain dict with the wire's own keys, published fields only.
"""

from supplier_api.wire.contract import CONTRACT
from supplier_api.wire.errors import Invalid, Malformed, MessageError, envelope
from supplier_api.wire.fingerprint import VERSIONS, fingerprint, is_fingerprint_of
from supplier_api.wire.kci import KCI, check_kci, load_kci
from supplier_api.wire.loading import load
from supplier_api.wire.reader import read_json

__all__ = [
    "CONTRACT",
    "KCI",
    "VERSIONS",
    "Invalid",
    "Malformed",
    "MessageError",
    "check_kci",
    "envelope",
    "fingerprint",
    "is_fingerprint_of",
    "load",
    "load_kci",
    "read_json",
]
