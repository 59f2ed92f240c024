"""Clocks moved on the page, and the fresh start."""

from supplier_api.clock import to_wire
from supplier_api.console.access import Role
from tests.integration.sandbox.console.conftest import SandboxPages
from tests.integration.sandbox.console.test_raising import actions
from tests.supplier import TENANT, Supplier


def test_a_clock_is_moved_stopped_and_let_run(supplier: Supplier, pages: SandboxPages) -> None:
    assert "everybody's runs, with real time" in pages.get("clock")

    page = pages.done("clock", tenant=TENANT, move="freeze")
    assert f"{TENANT} clock: stop it." in page
    assert f"{TENANT} stands at {to_wire(supplier.machine.now())}" in page

    page = pages.done("clock", tenant=TENANT, move="86400")
    assert f"{TENANT} on its way to 2026-01-06T12:00:00.000Z" in page
    assert "the clock is still advancing" in pages.refused(409, "clock", tenant=TENANT, move="3600")

    page = pages.done("clock", tenant=TENANT, move="run")
    assert f"{TENANT} runs, with real time" in page
    assert [action for _, action, _, _ in actions(supplier)] == ["sandbox-clock"] * 3
    assert actions(supplier)[1] == ("ann", "sandbox-clock", TENANT, {"advanceSeconds": 86_400})


def test_it_goes_to_the_next_timer(supplier: Supplier, pages: SandboxPages) -> None:
    assert "no timer is set" in pages.refused(409, "clock", tenant="", move="next")

    supplier.resolved(supplier.opened(id=23))
    [first, *_] = supplier.client.get("/admin/problems/23").get_json()["timers"]

    page = pages.done("clock", tenant=TENANT, move="next", watched=TENANT, id="23")

    assert "gateway's id 23" in page
    assert f"{TENANT} on its way to {first['dueAt']}" in pages.get("clock")


def test_a_move_that_is_none_is_refused(pages: SandboxPages) -> None:
    page = pages.refused(422, "clock", tenant=TENANT, move="backwards")

    assert "advanceSeconds: expected a number" in page


def test_a_fresh_start_needs_a_tick_and_an_admin(supplier: Supplier, pages: SandboxPages) -> None:
    supplier.opened(id=23)
    form = {"tenant": TENANT, "seed": "42"}

    assert "confirm: expected a tick" in pages.refused(422, "reset", **form)
    pages.be(Role.OPERATOR)
    assert pages.refused(403, "reset", **form, confirm="yes")
    assert "Begin anew" not in pages.get("clock")
    assert supplier.problems() == 1

    pages.be(Role.ADMIN)
    assert "tenant: expected one, or all" in pages.refused(422, "reset", tenant="", confirm="yes")
    assert f"Nothing is left of {TENANT}" in pages.done("reset", **form, confirm="yes")
    assert supplier.problems() == 0
    assert actions(supplier) == [("ann", "sandbox-reset", TENANT, {"seed": 42})]
