"""Databases that are ready for use."""

from supplier_api.clock import ManualMachineClock
from supplier_api.store import Store, migrate
from supplier_api.store.signing_keys import SigningKey
from tests.keys import signing_key


def upgrade(url: str) -> None:
    """Make the tables, and put the signing key for all tests in: to make one takes a while."""
    migrate.upgrade(url)
    clock = ManualMachineClock()
    key = signing_key()
    store = Store(url, clock)
    first = SigningKey(key.kid, key.private_pem, clock.now())
    store.write(lambda uow: uow.signing_keys.add_first(first))
    store.close()
