import pytest
from pydantic import SecretStr

from supplier_api.auth import AccessTokens, KeyRing
from supplier_api.clock import ManualMachineClock
from supplier_api.ids import SeededIdSource
from supplier_api.settings import AccessSettings, ClientSettings
from tests.keys import StoredKeys


@pytest.fixture
def clock() -> ManualMachineClock:
    return ManualMachineClock()


@pytest.fixture
def access() -> AccessSettings:
    return AccessSettings(
        issuer="supplier-api",
        audience="supplier-api",
        token_lifetime=3600,
        clients={
            "gateway": ClientSettings(secret=SecretStr("gateway-secret"), scopes=("read", "write")),
            "näive:one": ClientSettings(secret=SecretStr("p+ss:wörd %41"), scopes=("read",)),
        },
    )


@pytest.fixture
def keys() -> StoredKeys:
    return StoredKeys()


@pytest.fixture
def ring(keys: StoredKeys, clock: ManualMachineClock) -> KeyRing:
    return KeyRing(keys.all, clock)


@pytest.fixture
def tokens(access: AccessSettings, ring: KeyRing, clock: ManualMachineClock) -> AccessTokens:
    return AccessTokens(access, ring, clock, SeededIdSource(1))
