"""What the console's pages work with, and how they reach it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from flask import current_app

from supplier_api.audit import Audit
from supplier_api.backoffice.port import BackOffice
from supplier_api.console.access import Access
from supplier_api.problems.rule_evaluation import RuleEvaluator
from supplier_api.problems.services import Services
from supplier_api.settings import Settings

EXTENSION = "console"


@dataclass(frozen=True, slots=True)
class ConsoleContext:
    """What the pages work with.

    `back_office` returns the adapter that the settings name; raises UnknownAdapter, and what the
    adapter itself raises. `secret` signs the browser's cookie; all web servers of an installation
    have the same.
    """

    settings: Settings
    services: Services
    rule_evaluator: RuleEvaluator
    audit: Audit
    back_office: Callable[[], BackOffice]
    access: Access
    secret: bytes


def here() -> ConsoleContext:
    """Return what the page that is being made works with."""
    extensions: dict[str, Any] = current_app.extensions
    return cast(ConsoleContext, extensions[EXTENSION])
