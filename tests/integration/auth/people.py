"""What the tests of accounts have in common."""

from collections.abc import Mapping
from typing import Any

from supplier_api.auth.accounts import By
from supplier_api.db import Store
from supplier_api.db.operator_actions import OperatorActionRepository

PASSWORD = "correct horse battery"
HERE = "192.0.2.1"
ROOT = By("root", "because")

Acted = tuple[str, str, str, Mapping[str, Any] | None, str | None]


def acted(store: Store) -> list[Acted]:
    """Return what was recorded, oldest first: who, action, reason, detail, address."""
    recent = store.read(lambda uow: OperatorActionRepository(uow).recent(limit=99))
    return [
        (each.who, each.action, each.reason, each.detail, each.address)
        for _, each in reversed(recent)
    ]
