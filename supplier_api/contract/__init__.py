"""The published messages: read, validated, compared and refused. Knows no web framework.

    document = load(schemas.SERVICE_PROBLEM_REQUEST, read_json(body))

A document is a plain dict with the keys of the wire, published fields only.
"""

from supplier_api.contract.errors import (
    Invalid,
    Malformed,
    MessageError,
    RequestRefused,
    envelope,
)
from supplier_api.contract.fingerprint import VERSIONS, fingerprint, is_fingerprint_of
from supplier_api.contract.json_reader import read_json
from supplier_api.contract.kci import KCI, check_kci, load_kci
from supplier_api.contract.limits import CONTRACT
from supplier_api.contract.loading import load

__all__ = [
    "CONTRACT",
    "KCI",
    "VERSIONS",
    "Invalid",
    "Malformed",
    "MessageError",
    "RequestRefused",
    "check_kci",
    "envelope",
    "fingerprint",
    "is_fingerprint_of",
    "load",
    "load_kci",
    "read_json",
]
