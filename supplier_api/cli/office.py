"""The desk's office for a command that ends soon."""

from collections.abc import Iterator
from contextlib import contextmanager

from supplier_api import app as parts
from supplier_api.cli.starting import expected_errors
from supplier_api.desk.model import Office
from supplier_api.settings import Settings


@contextmanager
def opened_office(settings: Settings) -> Iterator[Office]:
    """Yield the office on the settings' database; what goes wrong with that becomes a refusal."""
    with expected_errors():
        office = parts.build_office(settings)
        try:
            yield office
        finally:
            office.store.close()
