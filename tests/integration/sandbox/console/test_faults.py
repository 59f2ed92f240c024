"""Faults switched on and off on the page."""

import re

from tests.integration.sandbox.console.conftest import SandboxPages
from tests.integration.sandbox.console.test_raising import actions
from tests.samples import problem_request
from tests.supplier import TENANT, Supplier


def test_a_fault_strikes_and_is_switched_off(supplier: Supplier, pages: SandboxPages) -> None:
    form = pages.html("faults?kind=in/503")
    assert 'name="parameters.retryAfter" value="2"' in form

    page = pages.done(
        "faults",
        kind="in/503",
        tenant=TENANT,
        calls="2",
        operations="service-problems",
        **{"parameters.retryAfter": "7"},
    )
    assert f"503 is on for 2 calls of {TENANT}." in page
    struck = supplier.create(problem_request(id=23))
    assert (struck.status_code, struck.headers["Retry-After"]) == (503, "7")
    assert "1 struck, 1 seen of 2 on" in pages.get("faults")

    number = re.search(r'<option value="(\d+)">', pages.html("faults"))
    assert number
    assert "503 is off." in pages.done("faults/off", fault=number[1])
    assert supplier.create(problem_request(id=23)).status_code == 201
    assert "not set any more" in pages.refused(409, "faults/off", fault=number[1])
    assert "expected its number" in pages.refused(422, "faults/off", fault="x")
    assert [action for _, action, _, _ in actions(supplier)] == [
        "sandbox-fault-on",
        "sandbox-fault-off",
    ]


def test_what_cannot_be_is_refused_as_the_testers_door_does(pages: SandboxPages) -> None:
    page = pages.refused(
        422, "faults", kind="in/503", tenant=TENANT, calls="1", **{"parameters.retryAfter": "soon"}
    )
    assert "parameters.retryAfter: expected a whole number, 0 to 3600" in page

    page = pages.refused(422, "faults", kind="in/nothing", tenant=TENANT, calls="1")
    assert "kind: unknown; expected one of latency" in page


def test_every_kind_has_a_form(pages: SandboxPages) -> None:
    html = pages.html("faults")

    kinds = re.findall(r'href="/console/sandbox/(faults\?kind=[^"#]+)#set"', html)

    assert len(kinds) > 35
    assert len(html) < 100_000
    for each in kinds[::6]:
        assert "Switch on:" in pages.get(each)
