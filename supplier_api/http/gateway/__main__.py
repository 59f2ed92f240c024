"""Writes the OpenAPI documents into a folder: python -m supplier_api.http.gateway docs/api."""

import json
import sys
from pathlib import Path

from supplier_api.http.gateway.openapi import supplier_document, updates_document

for name, document in (("supplier", supplier_document()), ("updates", updates_document())):
    text = json.dumps(document, indent=2) + "\n"
    Path(sys.argv[1], f"{name}.json").write_text(text, encoding="utf-8")
