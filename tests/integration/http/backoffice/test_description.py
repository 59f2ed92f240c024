"""The OpenAPI document of the back office's door: committed, and the same where it is served."""

import json
from pathlib import Path

from supplier_api.contract import refusals
from supplier_api.http.backoffice.openapi import backoffice_document
from tests.supplier import Supplier, on_sqlite

COMMITTED = Path(__file__).parents[4] / "docs" / "api" / "back-office.json"


def test_the_committed_description_is_this_one() -> None:
    committed = json.loads(COMMITTED.read_text(encoding="utf-8"))
    assert committed == backoffice_document(), (
        "run `python scripts/check_contract.py` and tell the change in CHANGELOG.md"
    )


@on_sqlite
def test_the_served_description_has_the_same_of_the_door(supplier: Supplier) -> None:
    served, alone = supplier.client.get("/openapi.json").get_json(), backoffice_document()

    assert alone["paths"]
    for path, described in alone["paths"].items():
        assert served["paths"][path] == described
    for name, schema in alone["components"]["schemas"].items():
        assert served["components"]["schemas"][name] == schema


def test_each_call_says_what_its_refusals_are() -> None:
    for path in backoffice_document()["paths"].values():
        for method in path.values():
            if isinstance(method, dict):
                # A webhook brings no token with a scope.
                scoped = set() if method["operationId"] == refusals.HOOK else {"403"}
                assert {"400", "401", "500", "503"} | scoped <= set(method["responses"])
                assert method["summary"]
