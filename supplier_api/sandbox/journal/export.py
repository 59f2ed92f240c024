"""The journal in forms that other tools read, piece by piece: NDJSON, and HAR 1.2.

HAR: http://www.softwareishard.com/blog/har-12-spec/
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any
from urllib.parse import parse_qsl

import orjson

CallJson = Mapping[str, Any]


def ndjson(entries: Iterable[CallJson]) -> Iterator[bytes]:
    """Return one JSON object a line."""
    for entry in entries:
        yield orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)


def har(entries: Iterable[CallJson]) -> Iterator[bytes]:
    """Return the calls as an HTTP Archive."""
    creator = {"name": "supplier_api", "version": version("supplier_api")}
    yield b'{"log":{"version":"1.2","creator":' + orjson.dumps(creator) + b',"entries":['
    for place, entry in enumerate(entries):
        yield (b"," if place else b"") + orjson.dumps(_entry(entry))
    yield b"]}}"


def _entry(entry: CallJson) -> dict[str, Any]:
    took = entry["milliseconds"]
    return {
        "startedDateTime": entry["at"],
        "time": took,
        "request": _request(entry),
        "response": _response(entry),
        "cache": {},
        "timings": {"send": 0, "wait": took, "receive": 0},
        "comment": "; ".join(_comments(entry)),
    }


def _comments(entry: CallJson) -> Iterator[str]:
    if entry["deliberate"]:
        yield f"on purpose: {entry['deliberate']['description']}"
    if entry["trouble"]:
        yield entry["trouble"]
    for remark in entry["remarks"]:
        yield f"{remark['field']}: {remark['expected']} ({remark['document']})"


def _request(entry: CallJson) -> dict[str, Any]:
    half, url = entry["request"], entry["url"]
    if entry["direction"] == "in":
        url = f"http://{_header(half, 'host') or 'supplier'}{url}"
    posted = {"postData": {"mimeType": _header(half, "content-type"), "text": half["body"]}}
    return {
        "method": entry["method"],
        "url": url,
        "queryString": _pairs(parse_qsl(url.partition("?")[2], keep_blank_values=True)),
        **_common(half),
        **(posted if half["size"] else {}),
    }


def _response(entry: CallJson) -> dict[str, Any]:
    half = entry["answer"]
    return {
        "status": entry["status"] or 0,
        "statusText": "",
        "content": {
            "size": half["size"],
            "mimeType": _header(half, "content-type"),
            "text": half["body"],
        },
        "redirectURL": _header(half, "location"),
        **_common(half),
    }


def _common(half: CallJson) -> dict[str, Any]:
    return {
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(half["headers"].items()),
        "headersSize": -1,
        "bodySize": half["size"],
    }


def _pairs(items: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in items]


def _header(half: CallJson, name: str) -> str:
    return next((value for each, value in half["headers"].items() if each.lower() == name), "")
