"""The list of problems: searched by names, narrowed by filters, page by page."""

import re

import pytest

from supplier_api.console.access import Role
from supplier_api.console.pages import problems
from supplier_api.db.operator_actions import OperatorActionRepository
from supplier_api.problems import problem_search
from tests.integration.console.pages import Console
from tests.samples import problem_request
from tests.supplier import DEFERRED, Problem, Supplier, on_sqlite

WHY = "They rang."


def opened(supplier: Supplier, count: int, **more: str) -> list[Problem]:
    """Raise some problems, each on a service of its own; return them, the oldest first."""
    first = supplier.problems() + 1
    return [
        supplier.opened(id=n, serviceId=f"SI{n + 100:013d}", **more)
        for n in range(first, first + count)
    ]


def references(html: str) -> list[str]:
    """Return the problems that a page lists, in their order."""
    return re.findall(r'<th scope="row"><a href="/console/problems/(SP_\w+)"', html)


def link(html: str, text: str) -> str | None:
    """Return where a link of a page leads to, None if there is none."""
    found = re.search(rf'href="/console/([^"]*)">{text}</a>', html)
    return found[1].replace("&amp;", "&") if found else None


def test_nothing_is_said_where_there_is_nothing(console: Console) -> None:
    assert "There are no problems yet." in console.get("problems/")
    assert "No problem fits these filters." in console.get("problems/?state=HELD")
    assert "There is no problem SP_UNKNOWN01" in console.get("problems/?q=SP_UNKNOWN01")


def test_problems_are_listed_page_by_page(
    supplier: Supplier, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems, "LIMIT", 2)
    expected = [each.reference for each in opened(supplier, 5)][::-1]
    for filters in ("", "?tenant=TENANT1", "?state=NOT_OVER"):
        pages = [console.html(f"problems/{filters}")]
        while (older := link(pages[-1], "Older")) is not None:
            pages.append(console.html(older))
        assert [references(page) for page in pages] == [expected[:2], expected[2:4], expected[4:]]
        assert link(pages[0], "Newer") is None
        back = link(pages[2], "Newer")
        assert back
        assert references(console.html(back)) == expected[2:4]
        newest = link(pages[2], "Newest")
        assert newest
        assert references(console.html(newest)) == expected[:2]


def test_a_search_without_an_index_goes_on_behind_its_window(
    supplier: Supplier, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problem_search, "WINDOW", 2)
    first, *_ = opened(supplier, 5)
    supplier.event(first.reference, "cancel", problemCode="OTHER")

    pages = [console.html("problems/?state=CANCELLED")]
    assert "None of these fits." in pages[0]
    while (older := link(pages[-1], "Older")) is not None:
        pages.append(console.html(older))

    assert [references(page) for page in pages] == [[], [], [first.reference]]
    back = link(pages[2], "Newer")
    assert back
    assert references(console.html(back)) == []


def test_filters_narrow_the_list(supplier: Supplier, console: Console) -> None:
    first, second = opened(supplier, 2)
    supplier.machine.advance(2 * 86400)
    (third,) = opened(supplier, 1, tenant="TENANT2")
    fourth = supplier.create(problem_request(id=4, serviceId="SI0000000000104"), tenant=DEFERRED)
    assert fourth.status_code == 202
    undecided = supplier.stored(4, DEFERRED).reference
    supplier.event(first.reference, "hold", problemCode="ACCESS_ISSUE", backOfficeId="INC1")
    supplier.event(second.reference, "cancel", problemCode="OTHER")
    every = [undecided, third.reference, second.reference, first.reference]

    for filters, expected in (
        ("", every),
        ("state=HELD", [first.reference]),
        ("state=UNDECIDED", [undecided]),
        ("state=CANCELLED", [second.reference]),
        ("state=NOT_OVER", [undecided, third.reference, first.reference]),
        ("tenant=TENANT2", [third.reference]),
        ("tenant=TENANT2&state=CANCELLED", []),
        ("tenant=TENANT1&state=HELD", [first.reference]),
        ("ticket=INC1", [first.reference]),
        ("service=SI0000000000103", [third.reference]),
        ("service=SI0000000000103&tenant=TENANT1", []),
        ("age=1d", [second.reference, first.reference]),
        ("age=1d&state=NOT_OVER", [first.reference]),
        ("age=1d&state=CANCELLED", [second.reference]),
        ("age=1d&tenant=TENANT2", []),
        ("age=1d&state=HELD", [first.reference]),
        ("age=nonsense", every),
        ("older=x&newer=-1", every),
    ):
        assert references(console.html(f"problems/?{filters}")) == expected, filters


def test_words_of_the_tenant_are_searched_on_record(supplier: Supplier, console: Console) -> None:
    first = supplier.opened(id=1, problemText='The "Zephyr" router drops out each night.')
    second = supplier.opened(id=2, serviceId="SI0000000000102", notes="a ZEPHYR again, 100% lost")
    supplier.opened(id=3, serviceId="SI0000000000103")
    supplier.event(first.reference, "hold", problemCode="ACCESS_ISSUE")

    def found(text: str, **more: str) -> list[str]:
        answer = console.send("problems/text", "problems/", text=text, reason=WHY, **more)
        assert answer.status_code == 200, answer.text
        return references(answer.text)

    assert found("zephyr") == [second.reference, first.reference]
    assert found("zephyr again") == [second.reference]
    assert found('"zephyr"') == [first.reference]
    assert found("0%") == [second.reference]
    assert found("z_phyr") == []
    assert found("zephyr", state="HELD") == [first.reference]
    # Neither names of fields, nor contacts, nor characteristics.
    assert found("problemType") == found("Smith") == found("END_USER_CPE") == []

    acts = supplier.services.store.read(
        lambda uow: OperatorActionRepository(uow).recent(action="text search", limit=50)
    )
    assert len(acts) == 9
    _, act = acts[-2]
    assert (act.who, act.reason, act.detail) == ("ann", WHY, {"found": [second.reference]})
    assert "zephyr" not in str(acts).lower()


@on_sqlite
def test_a_search_of_texts_goes_on_behind_its_window(
    supplier: Supplier, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problem_search, "TEXT_WINDOW", 2)
    first = supplier.opened(id=1, notes="The zephyr.")
    opened(supplier, 3)

    page = console.send("problems/text", "problems/", text="zephyr", reason=WHY).text
    assert "2 problems were looked through" in page
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.rsplit("<form")[-1]))
    assert (form["text"], form["reason"]) == ("zephyr", WHY)
    further = console.post("problems/text", **form).text

    assert references(page) == []
    assert references(further) == [first.reference]
    assert "Look further back" not in further


@on_sqlite
def test_who_sees_texts_masked_does_not_search_them(supplier: Supplier, console: Console) -> None:
    supplier.opened(notes="The zephyr.")
    token = console.token("problems/")
    for text in ("", "a b c d e f", "x" * 201):
        assert "text: expected 1 to 5 words" in console.refused(
            "problems/text", "problems/", 422, text=text, reason=WHY
        )
    assert "reason: expected" in console.refused("problems/text", "problems/", 422, text="zephyr")
    console.be("vic", Role.VIEWER)
    assert "to search it needs the role operator" in console.get("problems/")
    form = {"csrf_token": token, "text": "zephyr", "reason": WHY}
    assert console.post("problems/text", **form).status_code == 403


def test_silent_problems_are_those_of_the_status(supplier: Supplier, console: Console) -> None:
    first, second = opened(supplier, 2)
    assert references(console.html("problems/?silent=1")) == []
    supplier.machine.advance(40 * 86400)
    supplier.event(second.reference, "start")
    assert references(console.html("problems/?silent=1")) == [first.reference]


def test_a_name_leads_to_its_problem(supplier: Supplier, console: Console) -> None:
    first, second = opened(supplier, 2)
    supplier.event(second.reference, "note", backOfficeId="INC2")
    for name in (second.reference, "2", "INC2", "SI0000000000102"):
        html = console.html(f"problems/?q={name}", 302)
        assert f"/console/problems/{second.reference}" in html
    both = console.html("problems/?q=conversation-1")
    assert references(both) == [first.reference, second.reference]


@on_sqlite
def test_a_request_that_was_refused_is_found_by_its_id(
    supplier: Supplier, console: Console
) -> None:
    supplier.opened()
    assert supplier.create(problem_request(id=99)).status_code == 422
    page = console.get("problems/?q=99")
    assert "There is no problem 99: the request was refused" in page
    assert "TENANT1: problem was answered 422" in page
    assert "by the rule already-open" in page
    assert "already-open: matched open_problems" in page
    assert "/console/problems/?q=99" in console.html("problems/99", 302)
