"""Beyond this machine the page is for those who have signed in."""

import pytest
from flask.testing import FlaskClient

from tests.integration.sandbox.console.tenants_gateway import TenantsGateway
from tests.supplier import on_sqlite

pytestmark = on_sqlite


@pytest.fixture
def more_settings() -> dict[str, str]:
    return {
        "SUPPLIER_API__SERVER__HOST": "0.0.0.0",
        "SUPPLIER_API__SANDBOX__ALLOW_DEFAULT_SECRETS": "true",
    }


def test_nobody_gets_in_unknown(client: FlaskClient, gateway: TenantsGateway) -> None:
    looked = client.get("/console/sandbox/")
    raised = client.post("/console/sandbox/raise", data={"tenant": "TENANT1"})
    asked = client.get("/console/sandbox/way", headers={"HX-Request": "true"})

    assert looked.status_code == 302
    assert looked.headers["Location"].startswith("/console/sign-in/")
    assert raised.status_code == 401
    assert asked.status_code == 401
    assert gateway.calls == []
