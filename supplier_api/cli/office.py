"""The desk's office for a command that changes something and ends soon."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from supplier_api.app.office import claim_database
from supplier_api.cli.looking import looking
from supplier_api.desk.model import Office
from supplier_api.settings import Settings

Opened = Callable[[Settings], AbstractContextManager[Office]]


@contextmanager
def opened_office(settings: Settings) -> Iterator[Office]:
    """Yield the office on the settings' own database; what goes wrong becomes a refusal."""
    with looking(settings) as office:
        claim_database(settings, office)
        yield office
