"""How the adapter to the supplier's own systems is found."""

import pytest

from supplier_api.backoffice.port import UnknownAdapter, load_adapter
from supplier_api.sandbox.simulated_backoffice import SimulatedBackOffice
from supplier_api.settings.model import BackOfficeSettings


def test_the_settings_name_the_adapter() -> None:
    adapter = load_adapter(BackOfficeSettings(adapter="simulated", pace=1.0))

    assert isinstance(adapter, SimulatedBackOffice)


def test_an_adapter_that_is_not_published_is_refused_with_those_that_are() -> None:
    with pytest.raises(UnknownAdapter) as refused:
        load_adapter(BackOfficeSettings(adapter="tickets", pace=1.0))

    assert str(refused.value) == (
        "backoffice.adapter: tickets is not published; expected one of: simulated"
    )
