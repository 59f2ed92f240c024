"""The page of what was done, by whom and why."""

from flask.testing import FlaskClient

from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from tests.supplier import Supplier


def record(supplier: Supplier, count: int, who: str = "ann", action: str = "replay") -> None:
    now = supplier.services.machine.now()

    def work(uow: UnitOfWork) -> None:
        for number in range(count):
            done = Action(now, who, action, f"<reason> {number}.", detail={"was": number})
            OperatorActionRepository(uow).add(done)

    supplier.services.store.write(work)


def test_the_latest_is_shown_first(supplier: Supplier, client: FlaskClient) -> None:
    record(supplier, 2)
    text = client.get("/console/audit/").text
    assert 0 < text.index("&lt;reason&gt; 1.") < text.index("&lt;reason&gt; 0.")


def test_it_can_be_narrowed(supplier: Supplier, client: FlaskClient) -> None:
    record(supplier, 1, who="ann")
    record(supplier, 1, who="bob", action="skip")
    by_bob = client.get("/console/audit/?who=bob").text
    assert '<th scope="row">bob</th>' in by_bob
    assert '<th scope="row">ann</th>' not in by_bob
    assert "Nothing fits." in client.get("/console/audit/?who=bob&action=replay").text


def test_older_ones_are_on_further_pages(supplier: Supplier, client: FlaskClient) -> None:
    record(supplier, 60)
    first = client.get("/console/audit/").text
    assert "reason&gt; 59." in first
    assert "reason&gt; 9." not in first
    link = first.split("before=")[1].split('"')[0]
    second = client.get(f"/console/audit/?before={link}").text
    assert "reason&gt; 9." in second
    assert "reason&gt; 10." not in second
    assert "Older" not in second


def test_a_cursor_that_is_none_shows_the_first_page(client: FlaskClient) -> None:
    for cursor in ("x", "-1", "0", "99999999999999999999"):
        assert client.get(f"/console/audit/?before={cursor}").status_code == 200
