"""The database for commands that only look at it, whosever it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from supplier_api.app.services import open_services
from supplier_api.cli.startup_errors import expected_errors
from supplier_api.problems.services import Services
from supplier_api.settings import Settings


@contextmanager
def looking(settings: Settings) -> Iterator[Services]:
    """Yield the services to a command that only reads; raises CommandRefused without a database."""
    with expected_errors():
        services = open_services(settings)
        try:
            yield services
        finally:
            services.store.close()
