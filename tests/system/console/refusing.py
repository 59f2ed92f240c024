"""A gateway that refuses a RESOLVED which names Mr Smith, and problems whose RESOLVED does."""

import itertools
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.system.callers import BackOffice, GatewayCaller
from tests.system.gateway import Arrival, Gateway
from tests.system.installation import Installation

NAMED = "Mr Smith let us in."
UNNAMED = "The cable was renewed."
_ids = itertools.count(7)


def answer(kci: Arrival) -> int:
    """Refuse to tell the tenant that a problem is resolved in words that name him."""
    told = str(kci.document.get("serviceProblemResolution"))
    return 422 if kci.reason == "RESOLVED" and NAMED in told else 204


@pytest.fixture(scope="module")
def refusing_gateway() -> Iterator[Gateway]:
    """Yield the gateway."""
    with closing(Gateway(answer)) as gateway:
        gateway.start()
        yield gateway


@pytest.fixture(scope="module")
def more_settings(refusing_gateway: Gateway) -> dict[str, object]:
    """Have the installation send its KCIs there."""
    return refusing_gateway.settings


class RefusedKci:
    """A problem begun and resolved: its KCI 2, RESOLVED, was refused."""

    def __init__(self, installation: Installation, gateway: Gateway) -> None:
        """Wait until it is refused."""
        self.gateway_id = next(_ids)
        self._gateway = gateway
        self.reference = GatewayCaller(installation).raise_problem(self.gateway_id)
        self.back_office = BackOffice(installation)
        self.back_office.say(self.reference, "start")
        repair = {"resolutionCode": "NETWORK_CABLING", "resolutionText": NAMED}
        self.back_office.say(self.reference, "resolve", resolution=repair)
        self.wait_for([204, 422])

    @property
    def name(self) -> str:
        """Its name for operators."""
        return f"{self.reference}#2"

    def arrivals(self) -> list[Arrival]:
        """Return what has arrived about the problem."""
        return self._gateway.arrivals(self.gateway_id)

    def wait_for(self, statuses: list[int]) -> None:
        """Wait until KCIs about the problem have been answered so."""
        self._gateway.wait_for(
            lambda kcis: (
                [each.status for each in kcis if each.problem == self.gateway_id] == statuses
            ),
            f"answers {statuses} to KCIs of {self.reference}",
        )


@pytest.fixture
def refused(installation: Installation, refusing_gateway: Gateway) -> RefusedKci:
    """Return such a problem."""
    return RefusedKci(installation, refusing_gateway)
