"""What nobody foresaw: told to the caller by a uuid, to the log by its place, to nobody by value."""

import json

import pytest
from flask.testing import FlaskClient

from supplier_api.observability import configure_logging
from tests.samples import problem_request

from .conftest import FakeDesk
from .test_calls import envelope

MARKER = "Marmaduke-Featherstonehaugh"


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logging()


def test_an_unforeseen_error_is_traced_by_its_uuid(
    client: FlaskClient,
    headers: dict[str, str],
    desk: FakeDesk,
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk.answer = ValueError(f"invalid literal: {MARKER}")
    answer = client.post("/service-problems", json=problem_request(notes=MARKER), headers=headers)
    status, code, messages = envelope(answer)
    assert (status, code) == (500, "SUPPLIER_FAULT")
    assert messages == ["an error of the supplier; please quote the uuid"]
