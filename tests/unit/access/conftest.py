import pytest
from pydantic import SecretStr

from supplier_api.access import KeyRing, Tokens
from supplier_api.chance import SeededChance
from supplier_api.clock import ManualMachineClock
from supplier_api.settings import Access, Client
from tests.keys import StoredKeys


@pytest.fixture
def clock() -> ManualMachineClock:
    return ManualMachineClock()


@pytest.fixture
def access() -> Access:
    return Access(
        issuer="supplier-api",
        audience="supplier-api",
        token_lifetime=3600,
        clients={
            "gateway": Client(secret=SecretStr("gateway-secret"), scopes=("read", "write")),
            "näive:one": Client(secret=SecretStr("p+ss:wörd %41"), scopes=("read",)),
        },
    )


@pytest.fixture
def keys() -> StoredKeys:
    return StoredKeys()


@pytest.fixture
def ring(keys: StoredKeys, clock: ManualMachineClock) -> KeyRing:
    return KeyRing(keys, clock)


@pytest.fixture
def tokens(access: Access, ring: KeyRing, clock: ManualMachineClock) -> Tokens:
    return Tokens(access, ring, clock, SeededChance(1))
