"""A token ends with what its client was: a restart with the new settings is enough."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from supplier_api.app.services import ClockPair
from supplier_api.app.web import create_app
from supplier_api.clock import ManualBusinessClock, ManualMachineClock
from supplier_api.settings import load_settings
from tests.samples import problem_request
from tests.supplier import Supplier, on_sqlite

CLIENT = "SUPPLIER_API__ACCESS__CLIENTS__GATEWAY"
OTHER = """\
[access.clients.other]
secret = "other-secret"
scopes = ["service-problems"]
"""
Restarted = Callable[..., FlaskClient]


@pytest.fixture
def restarted(
    environ: dict[str, str], clocks: tuple[ManualMachineClock, ManualBusinessClock, ClockPair]
) -> Iterator[Restarted]:
    """Yield what starts another web process on the same database, with settings of its own."""
    made = []

    def restart(**more: str) -> FlaskClient:
        app = create_app(load_settings(environ | more), clocks[2])
        made.append(app)
        return app.test_client()

    yield restart
    for app in made:
        app.extensions["services"].store.close()


def status(client: FlaskClient, headers: dict[str, str], problem_id: int = 1) -> int:
    body = problem_request(id=problem_id, serviceId=f"SI{problem_id + 1000:013}")
    return client.post("/service-problems", json=body, headers=headers).status_code


@on_sqlite
def test_a_token_holds_at_another_process_as_long_as_its_client_is_the_same(
    supplier: Supplier, restarted: Restarted
) -> None:
    assert status(restarted(), supplier.headers()) == 201


@on_sqlite
def test_a_token_ends_with_the_secret_that_it_was_given_for(
    supplier: Supplier, restarted: Restarted
) -> None:
    headers = supplier.headers()
    assert status(supplier.client, headers, 1) == 201
    other = restarted(**{f"{CLIENT}__SECRET": "another-secret-of-theirs"})
    assert status(other, headers, 2) == 401


@on_sqlite
def test_a_token_ends_with_the_scope_that_was_taken_away(
    supplier: Supplier, restarted: Restarted
) -> None:
    headers = supplier.headers()
    less = restarted(**{f"{CLIENT}__SCOPES": "service-problem-amendments"})
    assert status(less, headers) == 403


@on_sqlite
def test_a_token_ends_with_its_client(
    supplier: Supplier, restarted: Restarted, environ: dict[str, str]
) -> None:
    file = Path(environ["SUPPLIER_API_CONFIG_DIR"]) / "default.toml"
    file.write_text(OTHER, encoding="utf-8")
    theirs = restarted()
    token = supplier.token("other", client=theirs)
    headers = {**supplier.headers(), "Authorization": f"Bearer {token}"}
    assert status(theirs, headers, 1) == 201
    file.unlink()
    assert status(restarted(), headers, 2) == 401
