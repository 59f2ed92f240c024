"""The services for a command that changes something and ends soon."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from supplier_api.app.services import claim_database
from supplier_api.cli.sessions import looking
from supplier_api.problems.services import Services
from supplier_api.settings import Settings

Opened = Callable[[Settings], AbstractContextManager[Services]]


@contextmanager
def opened_services(settings: Settings) -> Iterator[Services]:
    """Yield the services on the settings' own database; what goes wrong becomes a refusal."""
    with looking(settings) as services:
        claim_database(settings, services)
        yield services
