"""Who gives a command by hand, and why: recorded with what was done."""

import getpass
import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

OPERATOR = "SUPPLIER_API_OPERATOR"
LONGEST = 100  # as the column has it
F = TypeVar("F", bound=Callable[..., Any])


def operator() -> str:
    """Return who gives the command: SUPPLIER_API_OPERATOR, or else the login name."""
    named = os.environ.get(OPERATOR, "").strip()
    if named:
        return named[:LONGEST]
    try:
        return getpass.getuser()[:LONGEST]
    except (KeyError, OSError):  # a container's user by number
        return f"uid {os.getuid()}"


def with_reason(command: F) -> F:
    """Give a command the option --reason, which must say why it is given."""
    option = click.option("--reason", required=True, help="Why; recorded with who did it.")
    return option(command)
