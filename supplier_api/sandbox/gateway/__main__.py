"""Prints docs/api/sandbox-gateway.json: python -m supplier_api.sandbox.gateway."""

import json

from supplier_api.sandbox.gateway.web import openapi_document

print(json.dumps(openapi_document(), indent=2))  # noqa: T201 - printing it is what this does
