"""Short forms of rule books and facts."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from supplier_api.rules.book import RuleBook
from supplier_api.rules.facts import Facts, Service
from supplier_api.rules.loading import load_book
from supplier_api.rules.plugins import Plugins

HEAD = """\
version: 1
default: {problem: acknowledge, amendment: commit, cancellation: commit}
rules:
"""
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
LIVE = Service("SI0000000000009", "ftthl2r", "FTTH")


def load(text: str, *, profile: str = "production", plugins: Plugins | None = None) -> RuleBook:
    """Load a whole book from its text; its file is called rules.yaml."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rules.yaml")
        path.write_text(text, encoding="utf-8")
        return load_book(path, profile, plugins)


def rule(name: str, when: str, then: str, **more: str) -> str:
    """Return one rule for problems, as YAML; a reject gets a code and a message."""
    keys = {"id": name, "applies_to": "[problem]", "when": f"'{when}'", "then": then}
    if then == "reject":
        keys |= {"code": "OTHER", "message": f"{name} refuses"}
    pairs = (keys | more).items()
    return "  - " + "\n    ".join(f"{key}: {value}" for key, value in pairs) + "\n"


def facts(request: dict[str, Any] | None = None, **more: Any) -> Facts:
    """Return facts about a live service with nothing else open, changed as given."""
    given: dict[str, Any] = {"tenant": "TENANT1", "now": NOW, "service": LIVE}
    given |= {"open_problems": (), "incidents": ()} | more
    return Facts(request={"id": 1} | (request or {}), **given)
