"""Tells whether two requests say the same."""

import hashlib
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import orjson


def _as_it_stands(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return document


def _characteristics_by_name(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put named characteristics in the order of their names: the order they came in says nothing.

    Those of one name keep their order, since of two values the later one counts.
    """
    listed = document.get("characteristics")
    if not listed:
        return document
    return {**document, "characteristics": sorted(listed, key=itemgetter("name"))}


# The canonical form of each version, the newest last: another one whenever the same request would
# get another fingerprint. What was stored under an older version is compared as that version.
_FORMS: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "1": _as_it_stands,
    "2": _characteristics_by_name,
}
VERSIONS = tuple(_FORMS)
VERSION = VERSIONS[-1]


def fingerprint(document: Mapping[str, Any], version: str = VERSION) -> str:
    """Return the version and the SHA-256 of a loaded document in canonical form.

    Loading has left out what is not published and has made whole numbers of all numbers, so that
    23467 and 23467.0 are the same; here the keys are sorted, and since version 2 the named
    characteristics. `version` is one of VERSIONS.
    """
    canonical = orjson.dumps(_FORMS[version](document), option=orjson.OPT_SORT_KEYS)
    return f"{version}:{hashlib.sha256(canonical).hexdigest()}"


def is_fingerprint_of(stored: str, document: Mapping[str, Any]) -> bool:
    """Tell whether `stored` is the fingerprint of a loaded document, in its own version.

    One of a version that is not known here, stored by a later release, is of no document.
    """
    version, _, _ = stored.partition(":")
    return version in _FORMS and stored == fingerprint(document, version)
