import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

from supplier_api.audit import Audit
from supplier_api.auth import AccessTokens, ClientCredentials, KeyRing
from supplier_api.clock import ManualMachineClock
from supplier_api.http.gateway import Dependencies, GatewayRequests, register
from supplier_api.ids import SeededIdSource
from supplier_api.logging import configure_logging
from supplier_api.operations.metrics import ProcessMetrics
from supplier_api.problems.services import Caller, RequestAnswer
from supplier_api.sandbox.scenarios.choice import CHOSEN, NOTHING, Choice
from supplier_api.sandbox.scenarios.request_headers import EXTENSION
from supplier_api.settings import AccessSettings, ClientSettings, ServerSettings
from tests.keys import StoredKeys

SCOPES = (
    "service-problems",
    "service-problem-amendments",
    "service-problem-cancellations",
    "service-problem-resolutions",
)
MAX_BODY = 4096

HEADERS = {"X-Request-ID": "request-1", "X-Conversation-ID": "conversation-1", "Tenant": "TENANT1"}


@dataclass
class FakeUseCases(GatewayRequests):
    """Gives the answer that a test has laid ready, and keeps what it was asked."""

    answer: RequestAnswer | Exception = field(default_factory=lambda: RequestAnswer(202, None))
    asked: list[tuple[str, Caller, Mapping[str, Any]]] = field(default_factory=list)
    chosen: list[Choice] = field(default_factory=list)

    def raise_problem(self, caller: Caller, document: Mapping[str, Any]) -> RequestAnswer:
        return self._take("raise", caller, document)

    def amend(self, caller: Caller, document: Mapping[str, Any]) -> RequestAnswer:
        return self._take("amend", caller, document)

    def cancel(self, caller: Caller, document: Mapping[str, Any]) -> RequestAnswer:
        return self._take("cancel", caller, document)

    def settle(self, caller: Caller, reference: str, document: Mapping[str, Any]) -> RequestAnswer:
        return self._take(f"settle {reference}", caller, document)

    def _take(self, what: str, caller: Caller, document: Mapping[str, Any]) -> RequestAnswer:
        self.asked.append((what, caller, document))
        self.chosen.append(CHOSEN.get())
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def use_cases() -> FakeUseCases:
    CHOSEN.set(NOTHING)
    return FakeUseCases()


@pytest.fixture
def make_app(use_cases: FakeUseCases, clock: ManualMachineClock) -> Callable[..., Flask]:
    def make(
        prefix: str = "",
        operations: tuple[str, ...] = SCOPES,
        *,
        scenarios: bool = False,
        docs: bool = True,
    ) -> Flask:
        access = AccessSettings(
            issuer="supplier-api",
            audience="supplier-api",
            token_lifetime=3600,
            clients={
                "gateway": ClientSettings(secret=SecretStr("gateway-secret"), scopes=SCOPES),
                "back-office": ClientSettings(
                    secret=SecretStr("back-office-secret"), scopes=("back-office",)
                ),
            },
        )
        server = ServerSettings.model_validate(
            {
                "host": "127.0.0.1",
                "port": 8080,
                "prefix": prefix,
                "max_body": MAX_BODY,
                "answer_budget": 3.0,
                "operations": operations,
                "threads": 1,
                "docs": docs,
                "queue": 1,
            }
        )
        id_source = SeededIdSource(1)
        ring = KeyRing(StoredKeys().all, clock)
        tokens = AccessTokens(access, ring, clock, id_source)
        parts = Dependencies(
            use_cases=use_cases,
            tokens=tokens,
            credentials=ClientCredentials(access, tokens),
            ring=ring,
            server=server,
            machine=clock,
            id_source=id_source,
            audit=Audit(clock),
            metrics=ProcessMetrics(clock),
            extension=EXTENSION if scenarios else None,
        )
        app = Flask("supplier")
        app.testing = True
        register(app, parts)
        return app

    return make


@pytest.fixture
def client(make_app: Callable[..., Flask]) -> FlaskClient:
    return make_app().test_client()


@pytest.fixture(autouse=True)
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Log as the supplier does; return a function that gives the lines since its last call."""
    root, house = logging.getLogger(), logging.getLogger("supplier_api")
    before = root.handlers, root.level, house.level, logging.raiseExceptions
    hooks = sys.excepthook, threading.excepthook
    configure_logging("info", "json")
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    root.handlers, root.level, house.level, logging.raiseExceptions = before
    sys.excepthook, threading.excepthook = hooks
    structlog.reset_defaults()


def token(client: FlaskClient, name: str = "gateway", **more: str) -> str:
    """Return a token from the application's own token endpoint."""
    form = {
        "grant_type": "client_credentials",
        "client_id": name,
        "client_secret": f"{name}-secret",
        **more,
    }
    answer = client.post("/oauth2/token", data=form)
    access_token: str = answer.get_json()["access_token"]
    return access_token


@pytest.fixture
def headers(client: FlaskClient) -> dict[str, str]:
    """All headers that a call needs."""
    return {**HEADERS, "Authorization": f"Bearer {token(client)}"}
