"""The console's pages as a test reads them, and its forms as a test sends them."""

import re
from collections.abc import Mapping
from html import unescape

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from supplier_api.console.access import Access, Person, Role
from supplier_api.console.context import EXTENSION


class Console:
    """The console by a test client; whoever uses it is the admin ann until `be` says otherwise."""

    def __init__(self, app: Flask, client: FlaskClient) -> None:
        self._access: Access = app.extensions["console"].extensions[EXTENSION].access
        self._before = self._access.anybody
        self._client = client
        self.be("ann", Role.ADMIN)

    def be(self, name: str, role: Role) -> None:
        """Be another person from now on."""
        self._set(Person(name, role))

    def be_nobody(self) -> None:
        """Be somebody who has not signed in, from now on."""
        self._set(None)

    def close(self) -> None:
        """Leave the application, which other tests use too, as it was."""
        self._set(self._before)

    def _set(self, person: Person | None) -> None:
        # It is frozen, and each request asks the one that the console was made with.
        object.__setattr__(self._access, "anybody", person)

    def get(self, path: str, status: int = 200) -> str:
        """Return a page as text for people: without markup, its blanks as one."""
        return plain(self.html(path, status))

    def html(self, path: str, status: int = 200) -> str:
        """Return a page."""
        answer = self._client.get(f"/console/{path}")
        assert answer.status_code == status, answer.text
        return answer.text

    def send(self, path: str, page: str, **fields: str) -> TestResponse:
        """Send a form with the token, and the hidden field `seen`, that stand on a page."""
        html = self.html(page)
        form = {"csrf_token": _field(html, "csrf_token"), "seen": _field(html, "seen"), **fields}
        return self.post(path, **form)

    def token(self, page: str) -> str:
        """Return the token of this browser's forms, as it stands on a page."""
        return _field(self.html(page), "csrf_token")

    def post(self, path: str, **form: str) -> TestResponse:
        """Send a form as it is."""
        return self._client.post(f"/console/{path}", data=form)

    def open(
        self,
        method: str,
        path: str,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """Make a request as it is."""
        return self._client.open(f"/console/{path}", method=method, data=form, query_string=query)

    def done(self, path: str, page: str, **fields: str) -> str:
        """Send a form that must be accepted; return the page that is shown then."""
        answer = self.send(path, page, **fields)
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["Location"].removeprefix("/console/"))

    def refused(self, path: str, page: str, status: int, **fields: str) -> str:
        """Send a form that must be refused; return what is said."""
        answer = self.send(path, page, **fields)
        assert answer.status_code == status, answer.text
        return plain(answer.text)


def plain(html: str) -> str:
    """Return the text of a page."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def _field(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    return unescape(found[1]) if found else ""
