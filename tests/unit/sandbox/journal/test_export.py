"""The journal in forms that other tools read."""

import json
from typing import Any

import jsonschema_rs
import pytest

from supplier_api.sandbox.journal.export import har, ndjson
from supplier_api.sandbox.journal.schema import ENTRY, PAGE, WHY

from .entries import REMARK, entry, half
from .har_schema import HAR

ENTRIES = [
    entry(),
    entry(url="//%5Bx?a=1&b=&c=%20d", answer=half('{"a": "Ŵ"}', **{"content-type": "text/x"})),
    entry(method="GET", request=half(), status=404),
    entry(
        direction="out",
        url="https://gateway.example/kcis?x=1",
        answer=half(),
        status=None,
        trouble="ConnectionRefusedError",
    ),
    entry(
        remarks=[REMARK],
        deliberate={"kind": "bad-uuid", "description": "`id` is no UUID."},
        decision={
            "outcome": "defer",
            "rule": "default",
            "reasons": [],
            "trace": [],
            "bookVersion": "1",
        },
    ),
]


def archive() -> Any:
    """Return the entries as an HTTP Archive."""
    return json.loads(b"".join(har(ENTRIES)))


def test_an_archive_is_one() -> None:
    jsonschema_rs.validator_for(HAR, validate_formats=True).validate(archive())
    jsonschema_rs.validator_for(HAR).validate(json.loads(b"".join(har([]))))


def test_an_archive_says_what_was_sent_where() -> None:
    plain, strange, bare, sent, remarked = archive()["log"]["entries"]
    assert plain["request"]["url"] == "http://supplier:8080/service-problems"
    assert plain["request"]["postData"] == {"mimeType": "application/json", "text": "{}"}
    assert plain["response"]["redirectURL"] == "/elsewhere"
    assert (plain["time"], plain["timings"]["wait"]) == (12.5, 12.5)
    assert [(each["name"], each["value"]) for each in strange["request"]["queryString"]] == [
        ("a", "1"),
        ("b", ""),
        ("c", " d"),
    ]
    assert strange["response"]["content"] == {
        "size": 11,
        "mimeType": "text/x",
        "text": '{"a": "Ŵ"}',
    }
    assert "postData" not in bare["request"]
    assert (sent["request"]["url"], sent["response"]["status"], sent["comment"]) == (
        "https://gateway.example/kcis?x=1",
        0,
        "ConnectionRefusedError",
    )
    assert remarked["comment"] == (
        "on purpose: `id` is no UUID.; "
        "problemType: the published case, STABILITY (supplier-create v1.15)"
    )


def test_each_line_of_ndjson_is_an_entry_that_fits_the_schema() -> None:
    validator = jsonschema_rs.validator_for(ENTRY, validate_formats=True)
    lines = b"".join(ndjson(ENTRIES)).splitlines()
    assert [json.loads(line) for line in lines] == ENTRIES
    for line in lines:
        validator.validate(json.loads(line))


@pytest.mark.parametrize("missing", sorted(entry()))
def test_an_entry_without_one_of_its_members_does_not_fit(missing: str) -> None:
    incomplete = entry()
    del incomplete[missing]
    assert not jsonschema_rs.validator_for(ENTRY).is_valid(incomplete)


@pytest.mark.parametrize("schema", [PAGE, WHY])
def test_openapi_says_or_null_in_its_own_way(schema: dict[str, Any]) -> None:
    text = json.dumps(schema)
    assert '"null"' not in text
    assert "anyOf" not in text
    assert '"nullable": true' in text
