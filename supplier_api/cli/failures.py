"""How a command ends when something around it fails: one line and an exit code, never a trace."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from supplier_api.files import sqlite_path

BROKEN = "the database cannot be used: the file is corrupt"  # how the reason begins
READER_GONE = 128 + 13  # as a shell tells that SIGPIPE ended a program


def told(error: Exception) -> tuple[str, Sequence[object]] | None:
    """Return headline and findings for what failed around us, or None for a fault of our own.

    Around us are the settings, the database, files and the network.
    """
    if isinstance(error, OSError):
        return of_the_system(error), ()
    # What was not imported has not failed: the list of commands needs none of it.
    if "supplier_api.settings" in sys.modules:
        from supplier_api.settings import SettingsError  # noqa: PLC0415

        if isinstance(error, SettingsError):
            return "the settings do not allow a start", error.findings
    if "supplier_api.db" in sys.modules:
        from supplier_api.db import SchemaTooOld, StoreUnavailable  # noqa: PLC0415

        if isinstance(error, StoreUnavailable):
            return of_the_store(error), ()
        if isinstance(error, SchemaTooOld):
            return str(error), ()
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
