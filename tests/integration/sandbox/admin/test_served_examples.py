"""Every example that an OpenAPI document shows is sent as Swagger UI prefills it, and taken."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from supplier_api.clock import ManualMachineClock
from supplier_api.contract import load_kci
from supplier_api.http.gateway.openapi import updates_document
from supplier_api.ids import SeededIdSource
from supplier_api.sandbox.gateway import AdminAccount, SandboxConfig, TenantAccount, create_app
from supplier_api.sandbox.gateway import SupplierAccount as SupplierOfSandbox
from tests.integration.sandbox.admin.target import Target
from tests.samples import problem_request
from tests.supplier import on_sqlite

Document = dict[str, Any]
# What only other adapters have: webhooks, and work orders to be fetched.
OF_OTHER_ADAPTERS = ("/back-office/v1/hooks/", "/back-office/v1/work-orders")
# What is set is there before it is shown, and deleted at last.
ORDER = ("put", "post", "patch", "get", "delete")


class Api:
    """A served document, and the requests that its examples make."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.document: Document = client.get("/openapi.json").get_json()

    def operations(self) -> Iterator[tuple[str, str, Document]]:
        """Yield method, path and description of every operation, its path's parameters in it."""
        for method in ORDER:
            for path, described in self.document["paths"].items():
                if method in described:
                    shared = described.get("parameters", [])
                    own = described[method]
                    parameters = [*shared, *own.get("parameters", [])]
                    yield method, path, own | {"parameters": parameters}

    def send(self, method: str, path: str, described: Document, token: str, **names: str) -> Any:
        """Send the example; `names` stand in the path for what has to be there."""
        where: dict[str, dict[str, str]] = {"path": dict(names), "query": {}, "header": {}}
        for parameter in map(self.resolved, described["parameters"]):
            schema = self.resolved(parameter["schema"])
            shown = parameter.get("example", schema.get("example", schema.get("default")))
            if shown is not None:
                text = str(shown).lower() if isinstance(shown, bool) else str(shown)
                where[parameter["in"]].setdefault(parameter["name"], text)
        body = None
        if "requestBody" in described:
            content = described["requestBody"]["content"]["application/json"]
            body = content.get("example") or self.example(content["schema"])
        return self.client.open(
            path.format(**where["path"]),
            method=method.upper(),
            query_string=where["query"],
            headers={"Authorization": f"Bearer {token}", **where["header"]},
            json=body,
        )

    def example(self, schema: Document) -> Any:
        """Return what the examples of a schema's fields make together, as Swagger UI does."""
        schema = self.resolved(schema)
        if "example" in schema:
            return schema["example"]
        match schema.get("type"):
            case "object":
                fields = schema.get("properties", {})
                return {name: self.example(each) for name, each in fields.items()}
            case "array":
                return [self.example(schema["items"])]
            case "boolean":
                return True
            case "number" | "integer":
                return schema.get("minimum", 0)
        return schema["enum"][0] if "enum" in schema else "string"

    def resolved(self, schema: Document) -> Document:
        """Return a schema, or a parameter, with what it refers to."""
        while "$ref" in schema or "allOf" in schema:
            reference = schema.get("$ref") or schema["allOf"][0]["$ref"]
            _, _, kind, name = reference.split("/")
            rest = {key: value for key, value in schema.items() if key not in {"$ref", "allOf"}}
            schema = self.document["components"][kind][name] | rest
        return schema


def turn(path: str) -> int:
    """Return when a path's examples are sent: updates go nowhere meanwhile, or nothing is left."""
    return {"/admin/destinations/{tenant}": -1, "/admin/reset": 1}.get(path, 0)


@on_sqlite
@pytest.mark.parametrize("also", [{"BACKOFFICE__PACE": "manual"}])
def test_those_of_the_supplier(worked: Target) -> None:
    api = Api(worked.client)
    # The amendment's and the cancellation's own problem; one for events; one that is resolved.
    change = problem_request(id=12356, serviceId="SCENARIO_SERVICE_PROBLEM_DEFERRED")
    assert worked.call("/service-problems", change).status_code == 202
    open_one = worked.opened(1)
    worked.resolved(2)
    worked.settle()
    resolution = worked.told(2)[-1]["serviceProblemResolution"]["supplierReference"]
    names = {
        "/service-problem-resolutions/{id}": {"id": resolution},
        "/back-office/v1/problems/{reference}/events": {"reference": open_one},
        "/back-office/v1/problems/{reference}": {"reference": open_one},
        "/back-office/v1/problems/{reference}/snapshot": {"reference": open_one},
        "/admin/problems/{name}": {"name": open_one},
        "/admin/journal/{cursor}/why": {"cursor": "1"},
    }
    operations = sorted(api.operations(), key=lambda each: turn(each[1]))
    assert len(operations) > 20
    for method, path, described in operations:
        if path.startswith(OF_OTHER_ADAPTERS):
            continue
        client = "back-office" if path.startswith("/back-office") else "gateway"
        if path == "/back-office/v1/incidents" and method == "post":
            # Whose references these are nobody can know beforehand.
            content = described["requestBody"]["content"]["application/json"]
            content["example"] = api.example(content["schema"]) | {"problems": [open_one]}
        if method == "put" and path.endswith("/snapshot"):
            # Nor which ticket the problem has.
            bearer = {"Authorization": f"Bearer {worked.token(client)}"}
            shown = worked.client.get(f"/back-office/v1/problems/{open_one}", headers=bearer)
            content = described["requestBody"]["content"]["application/json"]
            ticket = {"ticket": shown.get_json()["backOfficeId"]}
            content["example"] = api.example(content["schema"]) | ticket
        answer = api.send(method, path, described, worked.token(client), **names.get(path, {}))
        assert answer.status_code < 300, (method, path, answer.get_data(as_text=True))
        worked.settle()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[FlaskClient]:
    """Yield a sandbox gateway that adopts; it calls nobody."""
    nobody = "http://127.0.0.1:1"
    ours = SupplierOfSandbox(
        *("DUMMY_SUPPLIER", "supplier", "supplier-secret", nobody, f"{nobody}/oauth2/token"),
        *("gateway", "gateway-secret"),
        ours=True,
    )
    config = SandboxConfig(
        database_url=f"sqlite:///{tmp_path}/sandbox.db",
        tenants=(TenantAccount("TENANT1", "tenant", "tenant-secret"),),
        suppliers=(ours,),
        admins=(AdminAccount("admin", "admin", "admin-secret"),),
        adopt=True,
    )
    app = create_app(config, ManualMachineClock(), SeededIdSource(1))
    with closing(app.extensions["sandbox"]):
        yield app.test_client()


def test_those_of_the_sandbox_gateway(sandbox: FlaskClient) -> None:
    api = Api(sandbox)
    tokens = {
        side: sandbox.post(
            f"/auth/{side}/access-token",
            data={"grant_type": "client_credentials"},
            auth=(side, f"{side}-secret"),
        ).get_json()["access_token"]
        for side in ("tenant", "supplier", "admin")
    }
    # The problem that the tenant's examples are about, and its resolution, are made by updates.
    kcis = api.document["paths"]["/kcis"]["post"]
    example = kcis["requestBody"]["content"]["application/json"]["example"]
    assert api.send("post", "/kcis", kcis, tokens["supplier"]).status_code == 204
    resolved = example | {
        "id": "00000000-0000-4000-8000-000000000002",
        "sequenceNumber": 2,
        "reasonCode": "RESOLVED",
        "serviceProblem": example["serviceProblem"] | {"status": "RESOLVED"},
        "serviceProblemResolution": {
            "supplierReference": "SP_RESOLUTION",
            "status": "PENDING",
            "resolvedDate": "2022-01-10T09:00:00.000Z",
            "resolutionDetails": {"resolutionCode": "OTHER"},
        },
    }
    headers = {"Authorization": f"Bearer {tokens['supplier']}"}
    headers |= {"X-Request-ID": "1", "X-Conversation-ID": "1"}
    assert sandbox.post("/kcis", json=resolved, headers=headers).status_code == 204
    names = {"/service-problem-resolutions/{id}": {"id": "1"}}
    last = "/admin/reset"
    operations = sorted(api.operations(), key=lambda each: each[1] == last)
    for method, path, described in operations:
        (side,) = next(each for each in described["security"] if each)
        answer = api.send(method, path, described, tokens[side], **names.get(path, {}))
        assert answer.status_code < 300, (method, path, answer.get_data(as_text=True))


def test_that_of_the_updates() -> None:
    described = updates_document()["paths"]["/kcis"]["post"]
    example = described["requestBody"]["content"]["application/json"]["example"]
    assert load_kci(example) == example
