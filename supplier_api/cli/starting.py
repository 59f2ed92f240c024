"""What stops a start, told in plain words instead of a trace."""

from collections.abc import Iterator
from contextlib import contextmanager

from supplier_api.backoffice.port import UnknownAdapter
from supplier_api.cli import Refused
from supplier_api.cli.endings import of_the_store, of_the_system
from supplier_api.decisions.findings import BookError
from supplier_api.decisions.inventory import InventoryError
from supplier_api.desk.stamping import ForeignDatabase
from supplier_api.store import SchemaTooOld, StoreUnavailable


@contextmanager
def expected_errors() -> Iterator[None]:
    """Turn what a wrong configuration or database raises into a refusal (exit code 1)."""
    try:
        yield
    except BookError as error:
        raise Refused("the rule book cannot be used", error.findings) from None
    except OSError as error:
        raise Refused(of_the_system(error)) from None
    except StoreUnavailable as error:
        raise Refused(of_the_store(error)) from None
    except (ForeignDatabase, InventoryError, SchemaTooOld, UnknownAdapter) as error:
        raise Refused(str(error)) from None
