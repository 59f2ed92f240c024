"""Makes those wait who fail to sign in again and again.

Failures are counted in the database, for all processes and beyond a restart, by name and by
address: a password cannot be guessed, whether by many tries at one account or by one try at each.
"""

import hashlib
import ipaddress
import math
from datetime import timedelta

from supplier_api.auth.account_repository import SignInFailureRepository
from supplier_api.clock import MachineClock
from supplier_api.db import Store, UnitOfWork

# After so many failures in a row, which are forgotten after a day, 2^failures seconds must pass.
FREE_FAILURES = 5
LONGEST_WAIT = timedelta(minutes=15)
FORGOTTEN = timedelta(days=1)


class SignInThrottled(Exception):
    """Nothing was looked at: the next attempt is let through in `seconds`."""

    def __init__(self, seconds: int) -> None:
        """Say how long to wait."""
        super().__init__(f"too many attempts to sign in; try again in {seconds} s")
        self.seconds = seconds


class SignInThrottle:
    """Counts failures by keys: what `name_key` and `address_key` return."""

    def __init__(self, store: Store, machine: MachineClock) -> None:
        """Keep the counts in `store`."""
        self._store = store
        self._machine = machine

    def require(self, keys: list[str]) -> None:
        """Raise SignInThrottled if one of the keys must wait."""
        until = self._store.read(lambda uow: SignInFailureRepository(uow).blocked_until(keys))
        now = self._machine.now()
        if until and until > now:
            raise SignInThrottled(math.ceil((until - now).total_seconds()))

    def failed(self, keys: list[str]) -> None:
        """Count a failure for each key."""
        now = self._machine.now()

        def work(uow: UnitOfWork) -> None:
            failures = SignInFailureRepository(uow)
            for key in sorted(keys):  # in one order, so that no two transactions lock each other
                count = failures.count(key, now, now + FORGOTTEN)
                if count >= FREE_FAILURES:
                    failures.block(key, now + _wait(count))

        self._store.write(work)


def name_key(name: str) -> str:
    """Return the key of a user's name."""
    return _digest(f"name {name}")


def address_key(address: str) -> str:
    """Return the key of an address: of IPv6 the /64, any of whose addresses one host may take."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return _digest(f"address {address}")
    if isinstance(known, ipaddress.IPv6Address):
        network = ipaddress.IPv6Network((int(known), 64), strict=False)
        known = known.ipv4_mapped or network.network_address
    return _digest(f"address {known}")


def _wait(failures: int) -> timedelta:
    # The power of a large count would be no timedelta.
    return min(timedelta(seconds=2 ** min(failures, 20)), LONGEST_WAIT)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
