"""The back office's door: a problem as it is now, and the list of those that changed."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from supplier_api.problems import changes_feed
from tests.samples import problem_request
from tests.supplier import DEFERRED, REPAIRED, Supplier, refusal

WHOLE: dict[str, Any] = {
    "problemCode": "OTHER",
    "text": "Words for the tenant.",
    "resolution": REPAIRED,
}


def get(supplier: Supplier, path: str, **query: Any) -> TestResponse:
    """Ask the door; in names of parameters `_` stands for `-`."""
    return supplier.client.get(
        f"/back-office/v1/problems{path}",
        query_string={name.replace("_", "-"): value for name, value in query.items()},
        headers={"Authorization": f"Bearer {supplier.token('back-office')}"},
    )


def listed(supplier: Supplier, **query: Any) -> tuple[list[str], dict[str, Any]]:
    """Return the references of a page, and the page."""
    answer = get(supplier, "", **query)
    assert answer.status_code == 200, answer.get_json()
    page = answer.get_json()
    return [each["reference"] for each in page["problems"]], page


# -- one problem


def test_a_problem_is_shown_whole_by_any_of_its_names(supplier: Supplier) -> None:
    problem = supplier.opened()
    supplier.event(problem.reference, "hold", backOfficeId="INC0012345", **WHOLE)

    shown = get(supplier, f"/{problem.reference}")

    seen = shown.get_json()
    assert shown.status_code == 200
    assert shown.headers["ETag"] == f'"{seen["version"]}"'
    assert (seen["status"], seen["waitsFor"]) == ("HELD", "the supplier: to resume work")
    assert seen["document"]["id"] == 23467
    assert (seen["backOfficeId"], seen["pendingChange"], seen["change"]) == (
        "INC0012345",
        None,
        None,
    )
    assert seen["mustCarry"].keys() == set(seen["legalEvents"])
    assert seen["mustCarry"]["cancel"] == ["problemCode"]
    assert [entry["what"] for entry in seen["timeline"]].count("event") == 1
    for name in ("23467", "INC0012345", seen["serviceId"], seen["conversationId"]):
        assert get(supplier, f"/{name}").get_json()["reference"] == problem.reference


def test_an_undecided_change_is_shown(supplier: Supplier) -> None:
    problem = supplier.opened(tenant=DEFERRED)
    body = {"id": 9, "serviceProblemId": problem.id, "notes": "Ring twice."}
    change = supplier.amend(body, tenant=DEFERRED).get_json()["supplierReference"]

    seen = get(supplier, f"/{change}").get_json()

    assert seen["reference"] == problem.reference
    assert (seen["pendingChange"]["kind"], seen["pendingChange"]["reference"]) == (
        "amendment",
        change,
    )
    assert seen["change"]["notes"] == "Ring twice."
    assert seen["mustCarry"]["accept-change"] == ["changeReference"]


def courses(supplier: Supplier) -> dict[str, dict[str, Any]]:
    """Return what has to be said before a problem is in each of its states."""
    states: dict[str, list[str]] = {
        "acknowledged": [],
        "in progress": ["start"],
        "held": ["hold"],
        "asked": ["ask-information"],
        "resolved": ["resolve"],
    }
    made = {}
    for number, (state, events) in enumerate(states.items(), 1):
        problem = supplier.opened(id=number, serviceId=f"SI{number + 100:013}")
        for event in events:
            assert supplier.event(problem.reference, event, **WHOLE).status_code == 200
        made[state] = get(supplier, f"/{problem.reference}").get_json()
    body = {**problem_request(), "id": 99, "serviceId": "SI0000000000999"}
    assert supplier.create(body, tenant=DEFERRED).status_code == 202
    made["undecided"] = get(supplier, "/99").get_json()
    return made


def test_what_must_be_carried_is_what_must_be_carried(supplier: Supplier) -> None:
    for seen in courses(supplier).values():
        reference = seen["reference"]
        for event, fields in seen["mustCarry"].items():
            lacking = supplier.event(reference, event)
            if not fields:
                # It is possible with nothing at all; the state is another one now.
                assert lacking.status_code in (200, 409)
                continue
            if lacking.status_code == 409:
                continue
            assert lacking.status_code == 422, event
            messages = lacking.get_json()["messages"]
            assert {message.partition(":")[0] for message in messages} <= set(fields)
            assert lacking.get_json()["state"]
            assert event in lacking.get_json()["legalEvents"]


def test_a_name_of_several_problems_is_a_conflict_that_names_them(supplier: Supplier) -> None:
    first = supplier.opened()
    second = supplier.opened(tenant="TENANT2")
    told = (
        "reference: 2 problems are called that; expected our own reference:"
        f" {first.reference} of TENANT1, {second.reference} of TENANT2"
    )
    assert refusal(get(supplier, "/23467")) == (409, "INVALID_REQUEST", [told])


@pytest.mark.parametrize("name", ["SP_UNKNOWN01", "23468", "9" * 5000, "%00", "a%2Fb"])
def test_a_name_of_none_is_not_found(supplier: Supplier, name: str) -> None:
    assert refusal(get(supplier, f"/{name}"))[:2] == (404, "NOT_FOUND")


# -- If-Match


def conditional(supplier: Supplier, name: str, tag: str, **event: Any) -> TestResponse:
    return supplier.client.post(
        f"/back-office/v1/problems/{name}/events",
        json=event,
        headers={"Authorization": f"Bearer {supplier.token('back-office')}", "If-Match": tag},
    )


def test_an_event_for_another_version_does_nothing(supplier: Supplier) -> None:
    problem = supplier.opened()
    name = problem.reference
    seen = get(supplier, f"/{name}").headers["ETag"]
    start = {"id": "EV-1", "event": "start"}

    done = conditional(supplier, name, seen, **start)
    assert done.status_code == 200
    assert done.headers["ETag"] == get(supplier, f"/{name}").headers["ETag"] != seen
    for tag in (seen, f"W/{done.headers['ETag']}", '"x"', '"٣"'):
        stale = conditional(supplier, name, tag, id="EV-2", event="hold", **WHOLE)
        assert stale.status_code == 412
        body = stale.get_json()
        assert "If-Match: the problem has changed" in body["messages"][0]
        assert body["state"] == "IN_PROGRESS"
        assert "hold" in body["legalEvents"]
        assert stale.headers["ETag"] == done.headers["ETag"]
    # A repeat is answered as before, and what was refused for its version may come again.
    assert conditional(supplier, name, seen, **start).get_json() == done.get_json()
    both = f"{seen}, {done.headers['ETag']}"
    held = conditional(supplier, name, both, id="EV-2", event="hold", **WHOLE)
    assert held.status_code == 200
    assert conditional(supplier, name, "*", id="EV-3", event="resume").status_code == 200
    assert len(supplier.told(problem)) == 3


# -- those that changed


def test_the_list_goes_on_from_its_cursor_and_misses_nothing(supplier: Supplier) -> None:
    opened = []
    for number in range(1, 6):
        opened.append(supplier.opened(id=number, serviceId=f"SI{number + 100:013}").reference)
        supplier.machine.advance(1)
    supplier.machine.advance(10)

    first, page = listed(supplier, limit=2)
    assert (first, page["more"]) == (opened[:2], True)
    second, page = listed(supplier, limit=2, cursor=page["cursor"])
    third, last = listed(supplier, limit=2, cursor=page["cursor"])
    assert (second, third, last["more"]) == (opened[2:4], opened[4:], False)
    # Nothing new: the cursor stays.
    none, still = listed(supplier, cursor=last["cursor"])
    assert (none, still["cursor"]) == ([], last["cursor"])

    supplier.event(opened[0], "start")
    supplier.event(opened[1], "cancel", **WHOLE)
    assert listed(supplier, cursor=last["cursor"])[0] == []  # it may not be alone yet
    supplier.machine.advance(6)
    assert listed(supplier, cursor=last["cursor"])[0] == opened[:2]
    assert listed(supplier, limit=1, cursor=last["cursor"])[1]["more"] is True


def test_a_page_of_one_state_looks_no_further_than_a_window(
    supplier: Supplier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes_feed, "WINDOW", 2)
    ended = []
    for number, event in enumerate(["cancel", "cancel", "cancel", "complete", "cancel"], 1):
        problem = supplier.opened(id=number, serviceId=f"SI{number + 100:013}").reference
        if event == "complete":
            supplier.event(problem, "resolve", **WHOLE)
        supplier.event(problem, event, **WHOLE)
        supplier.machine.advance(1)
        ended.append(problem)
    supplier.machine.advance(10)

    nothing, page = listed(supplier, state="COMPLETED")
    assert (nothing, page["more"]) == ([], True)
    found, page = listed(supplier, state="COMPLETED", cursor=page["cursor"])
    assert (found, page["more"]) == ([ended[3]], True)
    nothing, page = listed(supplier, state="COMPLETED", cursor=page["cursor"])
    assert (nothing, page["more"]) == ([], False)
    # A full page ends before the window does.
    found, page = listed(supplier, state="CANCELLED", limit=1)
    assert (found, page["more"]) == (ended[:1], True)
    found, _ = listed(supplier, state="CANCELLED", cursor=page["cursor"])
    assert found == ended[1:3]


def test_the_list_is_narrowed(supplier: Supplier) -> None:
    one = supplier.opened(id=1, serviceId="SI0000000000101").reference
    supplier.machine.advance(60)
    two = supplier.opened(id=2, serviceId="SI0000000000102").reference
    supplier.event(two, "hold", backOfficeId="INC1", **WHOLE)
    since = supplier.stored(2).updated.isoformat().replace("+00:00", "Z")
    supplier.machine.advance(60)

    assert listed(supplier)[0] == [one, two]
    for query in (
        {"state": "HELD"},
        {"ticket": "INC1"},
        {"service": "SI0000000000102"},
        {"changed_since": since},
        {"changed_since": since, "state": "HELD", "ticket": "INC1", "service": "SI0000000000102"},
    ):
        assert listed(supplier, **query)[0] == [two], query
    assert listed(supplier, state="COMPLETED")[0] == []
    assert listed(supplier, state="UNDECIDED", ticket="INC1")[0] == []
    supplier.event(one, "resolve", **WHOLE)
    supplier.event(one, "complete")
    supplier.machine.advance(60)
    assert listed(supplier, state="COMPLETED")[0] == [one]
    assert listed(supplier)[0] == [two, one]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"state": "SLEEPING"}, "state"),
        ({"changed_since": "yesterday"}, "changed-since"),
        ({"changedSince": "2026-01-05T12:00:00Z"}, "changedSince"),
        ({"ticket": ""}, "ticket"),
        ({"service": "S" * 51}, "service"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"cursor": "here"}, "cursor"),
        ({"cursor": "999999999999999999-1"}, "cursor"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(
    supplier: Supplier, query: dict[str, str], path: str
) -> None:
    status, code, messages = refusal(get(supplier, "", **query))
    assert (status, code) == (422, "INVALID_REQUEST")
    assert [message.split(": ")[0] for message in messages] == [path]


def test_the_list_needs_a_token_of_the_back_office(supplier: Supplier) -> None:
    for path in ("", "/SP_UNKNOWN01"):
        answer = supplier.client.get(f"/back-office/v1/problems{path}")
        assert refusal(answer)[:2] == (401, "NOT_AUTHORISED")
