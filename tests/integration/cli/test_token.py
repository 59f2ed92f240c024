"""`supplier-api token` against a token endpoint that listens on a real port."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask, request
from werkzeug.serving import make_server

from supplier_api.cli import main


class Issuer:
    """A token endpoint that keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.answer: tuple[Any, int] = ({"access_token": "the.token", "expires_in": 3600}, 200)
        self.app = Flask("issuer")
        self.app.add_url_rule("/oauth2/token", view_func=self._give, methods=["POST"])

    def _give(self) -> tuple[Any, int]:
        self.asked.append(request.form.to_dict())
        return self.answer


@pytest.fixture
def issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    issuer = Issuer()
    server = make_server("127.0.0.1", 0, issuer.app)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("SUPPLIER_API_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SUPPLIER_API__SERVER__PORT", str(server.server_port))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    yield issuer
    server.shutdown()
    thread.join()
    server.server_close()


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["token", *words])


def test_the_token_is_printed_alone(issuer: Issuer) -> None:
    result = run()
    assert (result.exit_code, result.output) == (0, "the.token\n")
    assert issuer.asked == [
        {
            "grant_type": "client_credentials",
            "client_id": "gateway",
            "client_secret": "gateway-secret",
            "scope": "",
        }
    ]


def test_client_scopes_and_address_can_be_chosen(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{_port()}/"
    monkeypatch.setenv("SUPPLIER_API__SERVER__PORT", "1")
    result = run("--client", "back-office", "--scope", "a", "--scope", "b", "--url", url)
    assert result.exit_code == 0
    assert issuer.asked[0]["client_id"] == "back-office"
    assert issuer.asked[0]["client_secret"] == "back-office-secret"
    assert issuer.asked[0]["scope"] == "a b"


def test_a_port_that_was_chosen_at_the_start_is_found(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoints = {"supplier": f"http://127.0.0.1:{_port()}/supplier/v1"}
    monkeypatch.setenv("SUPPLIER_API__SERVER__PORT", "0")
    monkeypatch.setenv("SUPPLIER_API__SERVER__PREFIX", "/supplier/v1")
    result = run()
    assert result.exit_code == 1
    assert "no supplier runs here" in result.output
    (tmp_path / "endpoints.json").write_text(json.dumps(endpoints), encoding="utf-8")
    assert run().output == "the.token\n"
    assert len(issuer.asked) == 1


@pytest.mark.usefixtures("issuer")
def test_an_unknown_client_is_told_the_known_ones() -> None:
    result = run("--client", "nobody")
    assert result.exit_code == 1
    assert result.output == (
        "Error: no client nobody\n  there is admin\n  there is back-office\n  there is gateway\n"
    )


def test_a_refusal_is_told_with_its_reason(issuer: Issuer) -> None:
    refusal = {"error": "invalid_client", "error_description": "client authentication failed"}
    issuer.answer = refusal, 401
    result = run()
    assert result.exit_code == 1
    assert result.output.endswith("\n  401: client authentication failed\n")
    assert "gateway-secret" not in result.output


def test_an_answer_of_somebody_else_is_no_token(issuer: Issuer) -> None:
    issuer.answer = "<html>", 200
    result = run()
    assert result.exit_code == 1
    assert "no token from" in result.output


def test_nobody_there_is_told_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPPLIER_API__SERVER__PORT", "1")
    result = run()
    assert result.exit_code == 1
    assert "is the supplier running?" in result.output


def _port() -> str:
    """Return the port of the running issuer, as the settings know it."""
    return os.environ["SUPPLIER_API__SERVER__PORT"]
