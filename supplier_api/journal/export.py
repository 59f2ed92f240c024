"""The journal in forms that other tools read: NDJSON, and HAR 1.2."""

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any
from urllib.parse import parse_qsl, urlsplit


def ndjson(entries: Iterable[Mapping[str, Any]]) -> str:
    """Return one JSON object a line."""
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)


def har(entries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the calls as an HTTP Archive."""
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "supplier_api", "version": version("supplier_api")},
            "entries": [_entry(entry) for entry in entries],
        }
    }


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    took = entry["milliseconds"]
    return {
        "startedDateTime": entry["at"],
        "time": took,
        "request": _request(entry),
        "response": _response(entry),
        "cache": {},
        "timings": {"send": 0, "wait": took, "receive": 0},
        "comment": "; ".join(f"{each['field']}: {each['expected']}" for each in entry["remarks"]),
    }


def _request(entry: Mapping[str, Any]) -> dict[str, Any]:
    half = entry["request"]
    parts = urlsplit(entry["url"])
    host = half["headers"].get("Host", "supplier")
    url = entry["url"] if parts.scheme else f"http://{host}{entry['url']}"
    return {
        "method": entry["method"],
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(half["headers"].items()),
        "queryString": _pairs(parse_qsl(parts.query)),
        "postData": {"mimeType": _type(half), "text": half["body"]},
        "headersSize": -1,
        "bodySize": len(half["body"]),
    }


def _response(entry: Mapping[str, Any]) -> dict[str, Any]:
    half = entry["answer"]
    return {
        "status": entry["status"] or 0,
        "statusText": "",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(half["headers"].items()),
        "content": {"size": len(half["body"]), "mimeType": _type(half), "text": half["body"]},
        "redirectURL": half["headers"].get("Location", ""),
        "headersSize": -1,
        "bodySize": len(half["body"]),
    }


def _pairs(items: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in items]


def _type(half: Mapping[str, Any]) -> str:
    kind: str = half["headers"].get("Content-Type", "")
    return kind
