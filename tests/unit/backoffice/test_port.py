"""How the adapter to the supplier's own systems is found."""

import pytest

from supplier_api.backoffice.port import UnknownAdapter, load_adapter
from supplier_api.problems.work import OrderAnswer, WorkOrder
from supplier_api.settings.model import BackOfficeSettings


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
        "backoffice.adapter: mine is not published; expected one of: tickets"
    )
