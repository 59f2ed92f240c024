"""Prints the OpenAPI document: python -m supplier_api.gateway_api > docs/api/supplier.json."""

import json

from supplier_api.gateway_api.openapi import document

print(json.dumps(document(), indent=2))  # noqa: T201 - printing it is what this does
