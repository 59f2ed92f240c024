"""What stops a start, told in plain words instead of a trace."""

from collections.abc import Iterator
from contextlib import contextmanager

from supplier_api.backoffice.port import UnknownAdapter
from supplier_api.cli import CommandRefused
from supplier_api.cli.failures import of_the_store, of_the_system
from supplier_api.db import SchemaTooOld, StoreUnavailable
from supplier_api.operations.installation import ForeignDatabase
from supplier_api.rules.findings import BookError
from supplier_api.rules.inventory import InventoryError


@contextmanager
def expected_errors() -> Iterator[None]:
    """Turn what a wrong configuration or database raises into a refusal (exit code 1)."""
    try:
        yield
    except BookError as error:
        raise CommandRefused("the rule book cannot be used", error.findings) from None
    except OSError as error:
        raise CommandRefused(of_the_system(error)) from None
    except StoreUnavailable as error:
        raise CommandRefused(of_the_store(error)) from None
    except (ForeignDatabase, InventoryError, SchemaTooOld, UnknownAdapter) as error:
        raise CommandRefused(str(error)) from None
