"""HAR 1.2 as a JSON Schema: the objects and the required members of its specification.

http://www.softwareishard.com/blog/har-12-spec/
"""

from typing import Any


def _object(**properties: Any) -> dict[str, Any]:
    """Return an object with these members; one whose name ends in an underscore is optional."""
    return {
        "type": "object",
        "required": [name for name in properties if not name.endswith("_")],
        "properties": {name.rstrip("_"): schema for name, schema in properties.items()},
        # The specification wants custom members to begin with an underscore.
        "patternProperties": {"^_": {}},
        "additionalProperties": False,
    }


TEXT = {"type": "string"}
NUMBER = {"type": "number", "minimum": -1}
SIZE = {"type": "integer", "minimum": -1}
PAIRS = {"type": "array", "items": _object(name=TEXT, value=TEXT, comment_=TEXT)}
COOKIES = {"type": "array", "items": {"type": "object", "required": ["name", "value"]}}
REQUEST = _object(
    method=TEXT,
    url={"type": "string", "format": "uri-reference", "pattern": "^https?://"},
    httpVersion=TEXT,
    cookies=COOKIES,
    headers=PAIRS,
    queryString=PAIRS,
    postData_={"oneOf": [_object(mimeType=TEXT, text=TEXT), _object(mimeType=TEXT, params=PAIRS)]},
    headersSize=SIZE,
    bodySize=SIZE,
    comment_=TEXT,
)
RESPONSE = _object(
    status={"type": "integer"},
    statusText=TEXT,
    httpVersion=TEXT,
    cookies=COOKIES,
    headers=PAIRS,
    content=_object(
        size=SIZE, compression_=SIZE, mimeType=TEXT, text_=TEXT, encoding_=TEXT, comment_=TEXT
    ),
    redirectURL=TEXT,
    headersSize=SIZE,
    bodySize=SIZE,
    comment_=TEXT,
)
ENTRY = _object(
    pageref_=TEXT,
    startedDateTime={"type": "string", "format": "date-time"},
    time={"type": "number", "minimum": 0},
    request=REQUEST,
    response=RESPONSE,
    cache={"type": "object"},
    timings=_object(
        blocked_=NUMBER,
        dns_=NUMBER,
        connect_=NUMBER,
        send={"type": "number", "minimum": 0},
        wait={"type": "number", "minimum": 0},
        receive={"type": "number", "minimum": 0},
        ssl_=NUMBER,
        comment_=TEXT,
    ),
    serverIPAddress_=TEXT,
    connection_=TEXT,
    comment_=TEXT,
)
PROGRAM = _object(name=TEXT, version=TEXT, comment_=TEXT)
HAR = _object(
    log=_object(
        version={"const": "1.2"},
        creator=PROGRAM,
        browser_=PROGRAM,
        pages_={"type": "array"},
        entries={"type": "array", "items": ENTRY},
        comment_=TEXT,
    )
)
