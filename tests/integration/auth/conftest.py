"""Accounts on each engine, by a clock that stands."""

import pytest

from supplier_api.audit import Audit
from supplier_api.auth.accounts import Accounts, By, Role
from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store
from tests.integration.auth.people import PASSWORD


@pytest.fixture
def accounts(store: Store, clock: ManualMachineClock) -> Accounts:
    """Return accounts, of which there is one: the operator jo."""
    accounts = Accounts(store, clock, Audit(clock))
    accounts.add("jo", PASSWORD, Role.OPERATOR, By("root", "joined us"))
    return accounts
