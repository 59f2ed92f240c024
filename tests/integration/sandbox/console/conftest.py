"""The application stands for the session, before a gateway that its tenants call."""

import re
from collections.abc import Iterator
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from supplier_api.clock import ManualMachineClock
from supplier_api.console.access import Access, Person, Role
from supplier_api.console.context import EXTENSION
from tests.integration.sandbox.console.tenants_gateway import RAISED, TenantsGateway, serving
from tests.integration.standing import Clocks, app, clocks, sqlite_file

__all__ = ["app", "clocks", "sqlite_file"]


class SandboxPages:
    """The pages by a test client, used as a browser would."""

    def __init__(self, app: Flask, client: FlaskClient, machine: ManualMachineClock) -> None:
        self._machine = machine
        self._access: Access = app.extensions["console"].extensions[EXTENSION].access
        self._client = client
        self.be(Role.ADMIN)

    def be(self, role: Role) -> None:
        """Be ann in this role from now on."""
        object.__setattr__(self._access, "anybody", Person("ann", role))

    def html(self, path: str, status: int = 200) -> str:
        """Return a page."""
        self._machine.seconds += 1  # what is known of the database's state is a moment old at most
        answer = self._client.get(f"/console/sandbox/{path}")
        assert answer.status_code == status, answer.text
        return answer.text

    def get(self, path: str, status: int = 200) -> str:
        """Return a page as text for people."""
        return plain(self.html(path, status))

    def send(self, path: str, /, **fields: str) -> TestResponse:
        """Send a form."""
        was = self._access.anybody
        self.be(Role.ADMIN)  # who sees no form may send one all the same
        token = re.search(r'name="csrf_token" value="([^"]*)"', self.html("clock"))
        object.__setattr__(self._access, "anybody", was)
        form = {"csrf_token": token[1] if token else "", **fields}
        return self._client.post(f"/console/sandbox/{path}", data=form)

    def done(self, path: str, /, **fields: str) -> str:
        """Send a form that must be accepted; return the page that is shown then."""
        answer = self.send(path, **fields)
        assert answer.status_code == 303, plain(answer.text)
        return self.get(answer.headers["Location"].removeprefix("/console/sandbox/"))

    def refused(self, status: int, path: str, /, **fields: str) -> str:
        """Send a form that must be refused; return what is said."""
        answer = self.send(path, **fields)
        assert answer.status_code == status, plain(answer.text)
        return plain(answer.text)


def plain(html: str) -> str:
    """Return the text of a page, its blanks as one."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


@pytest.fixture(scope="session")
def listening() -> Iterator[TenantsGateway]:
    with serving() as gateway:
        yield gateway


@pytest.fixture
def gateway(listening: TenantsGateway) -> TenantsGateway:
    """Return the gateway as if nobody had called it yet."""
    listening.answers.clear()
    listening.calls.clear()
    listening.problem = dict(RAISED)
    return listening


@pytest.fixture
def more_settings(gateway: TenantsGateway) -> dict[str, str]:
    return {"SUPPLIER_API__SANDBOX__URL": gateway.url}


@pytest.fixture
def pages(app: Flask, client: FlaskClient, clocks: Clocks) -> SandboxPages:
    return SandboxPages(app, client, clocks[0])
