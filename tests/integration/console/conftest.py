"""The application stands for the session; its console is looked at and used as a browser would."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.integration.console.pages import Console
from tests.integration.standing import app, clocks, sqlite_file

__all__ = ["app", "clocks", "sqlite_file"]


@pytest.fixture
def console(app: Flask, client: FlaskClient) -> Console:
    """Return the console."""
    return Console(app, client)
