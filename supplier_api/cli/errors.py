"""How a command fails: a refusal in plain words and an exit code, never a trace."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import click

from supplier_api.files import sqlite_path

BROKEN = "the database cannot be used: the file is corrupt"  # how the reason begins
READER_GONE = 128 + 13  # as a shell tells that SIGPIPE ended a program


class CommandRefused(click.ClickException):
    """The command found something wrong: a headline and what it found, exit code 1."""

    exit_code = 1

    def __init__(self, headline: str, findings: Sequence[object] = ()) -> None:
        """Write one line for the headline and one for each finding."""
        super().__init__("\n  ".join([headline, *map(str, findings)]))


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what fails around us into CommandRefused; a fault of our own keeps its trace."""
    try:
        yield
    except Exception as error:
        refused = refusal(error)
        if refused is None:
            raise
        raise refused from None


def refusal(error: Exception) -> CommandRefused | None:
    """Return the refusal for what failed around us, or None for a fault of our own.

    Around us are the settings, the rule book, the database, files and the network.
    """
    if isinstance(error, OSError):
        return CommandRefused(of_the_system(error))
    # What was not imported has not failed: the list of commands needs none of it.
    if "supplier_api.settings" in sys.modules:
        from supplier_api.settings import SettingsError  # noqa: PLC0415

        if isinstance(error, SettingsError):
            return CommandRefused("the settings do not allow a start", error.findings)
    if "supplier_api.sandbox.tenant_client" in sys.modules:
        from supplier_api.sandbox.tenant_client import GatewayCallFailed  # noqa: PLC0415

        if isinstance(error, GatewayCallFailed):
            return CommandRefused(error.headline, error.findings)
    return _of_the_work(error) if "supplier_api.db" in sys.modules else None


def _of_the_work(error: Exception) -> CommandRefused | None:
    from supplier_api.backoffice.port import UnknownAdapter  # noqa: PLC0415
    from supplier_api.db import SchemaTooOld, StoreUnavailable  # noqa: PLC0415
    from supplier_api.operations.installation import ForeignDatabase  # noqa: PLC0415
    from supplier_api.rules.inventory import InventoryError  # noqa: PLC0415
    from supplier_api.rules.model import BookError  # noqa: PLC0415

    if isinstance(error, BookError):
        return CommandRefused("the rule book cannot be used", error.findings)
    if isinstance(error, StoreUnavailable):
        return CommandRefused(of_the_store(error))
    if isinstance(error, (ForeignDatabase, InventoryError, SchemaTooOld, UnknownAdapter)):
        return CommandRefused(str(error))
    return None


def of_the_store(error: Exception) -> str:
    """Return what the store cannot do, in a line; of a broken file which it is and what to do."""
    reason = str(error).partition("\n")[0]
    if not reason.startswith(BROKEN):
        return reason
    from supplier_api.settings import load_settings  # noqa: PLC0415

    file = sqlite_path(load_settings().database.url)
    if file is None:
        return reason
    return f"{file}: {reason}; put a backup back: `supplier-api db restore FILE`"


def of_the_system(error: OSError) -> str:
    """Return what the system refused, and of which file."""
    if error.strerror is None:  # a library's: it says what it was about
        return " ".join(str(error).split()) or type(error).__name__
    if error.filename is None:
        return error.strerror
    return f"{os.fsdecode(error.filename)}: {error.strerror}"


def drop_output() -> None:
    """Let what is printed and cannot be written go nowhere: the interpreter tries again at its end.

    Where the output is no file, as in a test, there is nothing to do.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError):
            continue  # closed by our caller
        except OSError:
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
