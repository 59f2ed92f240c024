"""Fails when the wire contract changed and the change log does not say so; part of `make check`.

    python scripts/check_contract.py

The contract is what docs/api holds: the documents that the code makes of itself. CHANGELOG.md names
their digest, so that no change of theirs goes in without a line for those who read it.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from supplier_api.http.backoffice.openapi import backoffice_document
from supplier_api.http.gateway.openapi import supplier_document, updates_document
from supplier_api.sandbox.gateway.web import openapi_document as sandbox_document

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = {
    "supplier": supplier_document,
    "updates": updates_document,
    "back-office": backoffice_document,
    "sandbox-gateway": sandbox_document,
}


def main() -> int:
    """Compare code, documents and change log; return the exit code."""
    texts = {name: _text(make()) for name, make in DOCUMENTS.items()}
    stale = [name for name, text in texts.items() if _committed(name) != text]
    if stale:
        for name in stale:
            _path(name).write_text(texts[name], encoding="utf-8")
        print(f"docs/api was not current and is now: {', '.join(stale)}; look at the difference")
        return 1
    digest = hashlib.sha256("".join(texts.values()).encode()).hexdigest()[:12]
    if digest not in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"):
        print(f"the wire contract changed: say what in CHANGELOG.md, with its digest {digest}")
        return 1
    print(f"wire contract {digest}, named in CHANGELOG.md")
    return 0


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


def _committed(name: str) -> str:
    path = _path(name)
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _path(name: str) -> Path:
    return ROOT / "docs" / "api" / f"{name}.json"


if __name__ == "__main__":
    sys.exit(main())
