"""Writes the OpenAPI documents into a folder: python -m supplier_api.http.gateway docs/api."""

import json
import sys
from pathlib import Path

from supplier_api.http.gateway import kci_document, openapi

for name, document in (("supplier", openapi.document()), ("updates", kci_document.document())):
    text = json.dumps(document, indent=2) + "\n"
    Path(sys.argv[1], f"{name}.json").write_text(text, encoding="utf-8")
