"""Fingerprints of requests, to recognise a repeat of the same request."""

import hashlib
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import orjson


def _unchanged(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return document


def _characteristics_by_name(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Sort characteristics by name: their order has no meaning.

    Those with one name keep their order, since the last value counts.
    """
    listed = document.get("characteristics")
    if not listed:
        return document
    return {**document, "characteristics": sorted(listed, key=itemgetter("name"))}


# The canonical form of each version, the newest last. A change that gives the same request another
# fingerprint needs a new version; a stored fingerprint is compared in its own version.
_FORMS: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "1": _unchanged,
    "2": _characteristics_by_name,
}
VERSIONS = tuple(_FORMS)
VERSION = VERSIONS[-1]


def fingerprint(document: Mapping[str, Any], version: str = VERSION) -> str:
    """Return the version and the SHA-256 of a loaded document in canonical form.

    Loading has removed unpublished fields and made 23467.0 the same as 23467; here the keys are
    sorted, and since version 2 the characteristics. `version` is one of VERSIONS.
    """
    canonical = orjson.dumps(_FORMS[version](document), option=orjson.OPT_SORT_KEYS)
    return f"{version}:{hashlib.sha256(canonical).hexdigest()}"


def is_fingerprint_of(stored: str, document: Mapping[str, Any]) -> bool:
    """Return whether `stored` is the fingerprint of a loaded document, in its own version.

    A version that is not known here, of a later release, matches no document.
    """
    version, _, _ = stored.partition(":")
    return version in _FORMS and stored == fingerprint(document, version)
