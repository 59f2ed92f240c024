"""Writes the OpenAPI documents into a folder: python -m supplier_api.gateway_api docs/api."""

import json
import sys
from pathlib import Path

from supplier_api.gateway_api import openapi, updates

for name, document in (("supplier", openapi.document()), ("updates", updates.document())):
    text = json.dumps(document, indent=2) + "\n"
    Path(sys.argv[1], f"{name}.json").write_text(text, encoding="utf-8")
