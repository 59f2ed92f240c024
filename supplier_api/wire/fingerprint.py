"""Tells whether two requests say the same."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

# Goes up whenever the same request would get another fingerprint.
VERSION = "1"


def fingerprint(document: Mapping[str, Any]) -> str:
    """Return the version and the SHA-256 of a loaded document in canonical form.

    Loading has left out what is not published and has made whole numbers of all numbers, so that
    23467 and 23467.0 are the same; here the keys are sorted.
    """
    canonical = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    return f"{VERSION}:{hashlib.sha256(canonical).hexdigest()}"
