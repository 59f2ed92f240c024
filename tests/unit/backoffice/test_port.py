"""How the adapter to the supplier's own systems is found."""

import re
from importlib.metadata import EntryPoint, EntryPoints
from typing import NoReturn

import pytest

from supplier_api.backoffice import port
from supplier_api.backoffice.manual import ManualBackOffice
from supplier_api.backoffice.port import (
    DEFAULT_KINDS,
    GROUP,
    ORDER_KINDS,
    Comments,
    Notice,
    OrderAnswer,
    Parses,
    Pings,
    Polls,
    Reads,
    UnknownAdapter,
    WorkOrder,
    load_adapter,
    wanted_kinds,
)
from supplier_api.backoffice.pull import PullBackOffice
from supplier_api.rules.model import BookError, BookFinding, Operation
from supplier_api.settings.model import BackOfficeSettings

ORDER = WorkOrder(
    id="3456cf7d-4471-42e4-a5be-c24ed58a7aa6",
    kind=Operation.PROBLEM,
    tenant="TENANT1",
    reference="SP_0123456789",
    issued="2026-01-05T12:00:00.000Z",
    standing="ACKNOWLEDGED",
    decide=False,
    problem={"id": 7},
)


class Tickets:
    """An adapter."""

    def __init__(self, settings: BackOfficeSettings) -> None:
        self.settings = settings

    def submit(self, order: WorkOrder) -> OrderAnswer:
        return OrderAnswer(back_office_id=order.id)


def test_the_settings_name_the_adapter() -> None:
    settings = BackOfficeSettings(adapter="tickets", pace=1.0)
    adapter = load_adapter(settings, {"tickets": Tickets, "others": Tickets})

    assert isinstance(adapter, Tickets)
    assert adapter.settings is settings


def test_an_adapter_that_is_not_published_is_refused_with_those_that_are() -> None:
    with pytest.raises(UnknownAdapter) as refused:
        load_adapter(BackOfficeSettings(adapter="mine", pace=1.0), {"tickets": Tickets})

    assert str(refused.value) == (
        "backoffice.adapter: mine is not published; expected one of: http, manual, pull,"
        " sample-desk, tickets"
    )


def test_where_people_decide_an_order_is_left_to_them() -> None:
    adapter = load_adapter(BackOfficeSettings(adapter="manual", pace="manual"))

    assert adapter.submit(ORDER) == OrderAnswer(for_people=True)
    assert isinstance(adapter, Pings)
    assert not isinstance(adapter, Reads | Polls | Parses | Comments)


@pytest.mark.parametrize("published", [True, False])
def test_an_adapter_wants_the_kinds_that_it_names(
    monkeypatch: pytest.MonkeyPatch, *, published: bool
) -> None:
    settings = BackOfficeSettings(adapter="manual" if published else "mine", pace="manual")
    assert wanted_kinds(settings) == DEFAULT_KINDS
    monkeypatch.setattr(ManualBackOffice, "kinds", ["problem", "closed"], raising=False)

    wanted = {Operation.PROBLEM, Notice.CLOSED} if published else DEFAULT_KINDS
    assert wanted_kinds(settings) == wanted


@pytest.mark.parametrize(
    ("kinds", "why"),
    [(["problem", "gossip"], "wants orders of the kind gossip"), (["closed"], "must want")],
)
def test_an_adapter_that_wants_what_there_is_not_is_refused(
    monkeypatch: pytest.MonkeyPatch, kinds: list[str], why: str
) -> None:
    monkeypatch.setattr(ManualBackOffice, "kinds", kinds, raising=False)
    settings = BackOfficeSettings(adapter="manual", pace="manual")

    for made in (load_adapter, wanted_kinds):
        with pytest.raises(UnknownAdapter, match=why):
            made(settings)


def test_who_fetches_is_told_everything_and_sent_nothing() -> None:
    settings = BackOfficeSettings(adapter="pull", pace="manual")

    assert wanted_kinds(settings) == frozenset(ORDER_KINDS)
    assert isinstance(load_adapter(settings), PullBackOffice)


class Broken:
    """An adapter with a fault in what makes it."""

    def __init__(self, settings: BackOfficeSettings) -> None:
        raise KeyError(f"a secret of {settings.adapter}")


class Unloadable(EntryPoint):
    """What is published and cannot be imported."""

    def load(self) -> object:
        raise ModuleNotFoundError("No module named 'jsonn'")


def unmapped(_settings: BackOfficeSettings) -> NoReturn:
    raise BookError([BookFinding("mapping.yaml", 3, 1, "states: missing")])


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (Broken, rf"cannot be used: KeyError at {re.escape(__file__)}:\d+$"),
        (lambda _: object(), "has no method submit$"),
        (unmapped, "cannot be used: mapping.yaml:3:1: states: missing$"),
    ],
)
def test_an_adapter_that_cannot_be_made_says_why_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, made: object, why: str
) -> None:
    monkeypatch.setattr("supplier_api.backoffice.manual.ManualBackOffice", made)

    with pytest.raises(UnknownAdapter, match=why) as refused:
        load_adapter(BackOfficeSettings(adapter="manual", pace="manual"))
    assert "secret" not in str(refused.value)


def test_an_adapter_that_cannot_be_imported_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    published = EntryPoints([Unloadable("mine", "a:B", GROUP)])
    monkeypatch.setattr(port, "entry_points", lambda **_: published)

    with pytest.raises(UnknownAdapter, match="mine cannot be used: No module named 'jsonn'"):
        load_adapter(BackOfficeSettings(adapter="mine", pace="manual"))
