"""`supplier-api maintenance on | off | show`, beside a supplier that goes by it."""

import json

import pytest

from tests.commands import Command
from tests.samples import problem_request
from tests.supplier import Supplier, on_sqlite


@pytest.fixture
def command(environ: dict[str, str]) -> Command:
    return Command(environ, "maintenance")


@on_sqlite
def test_what_is_asked_meanwhile_is_answered_202(supplier: Supplier, command: Command) -> None:
    assert supplier.create(problem_request(id=1)).status_code == 201
    result = command("on", "--reason", "new rules")
    assert (result.exit_code, result.stderr) == (0, "")
    supplier.machine.advance(1)

    assert supplier.create(problem_request(id=2, serviceId="SI0000000000102")).status_code == 202
    ready = supplier.client.get("/health/ready")
    assert (ready.status_code, ready.get_json()["status"]) == (200, "ready")
    assert ready.get_json()["decisionsPutOff"] == "maintenance"
    assert command("show").stdout.splitlines()[1] == "put off: 1 decision"
    shown = json.loads(command("show", "--json").stdout)
    assert (shown["on"], shown["who"], shown["reason"], shown["putOff"]) == (
        True,
        "jo",
        "new rules",
        1,
    )
    again = command("on", "--reason", "newer rules")
    assert again.exit_code == 1
    assert "by jo: new rules" in again.stderr

    ended = command("off", "--reason", "they are in")
    assert ended.stdout == "maintenance is off; put off until now: 1 decision\n"
    supplier.machine.advance(1)
    assert supplier.create(problem_request(id=3, serviceId="SI0000000000103")).status_code == 201
    assert "decisionsPutOff" not in supplier.client.get("/health/ready").get_json()


@on_sqlite
def test_when_there_is_none(supplier: Supplier, command: Command) -> None:
    assert supplier.problems() == 0
    assert command("show").stdout == "off\nput off: 0 decisions\n"
    assert json.loads(command("show", "--json").stdout)["on"] is False
    ended = command("off", "--reason", "by mistake")
    assert (ended.exit_code, ended.stderr) == (1, "Error: maintenance is not on\n")


@on_sqlite
@pytest.mark.usefixtures("supplier")
@pytest.mark.parametrize("words", [("on",), ("off",), ("up",), ("show", "--reason", "x")])
def test_wrong_use_exits_with_2(command: Command, words: tuple[str, ...]) -> None:
    assert command(*words).exit_code == 2
