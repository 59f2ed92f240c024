"""Prints docs/api/sandbox-gateway.json: python -m supplier_api.sandbox.gateway."""

import json

from supplier_api.sandbox.gateway.openapi import document

print(json.dumps(document(), indent=2))  # noqa: T201 - printing it is what this does
