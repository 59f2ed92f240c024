"""`supplier-api incident declare | end | list | show`, beside a supplier that goes by it."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from supplier_api.db import tables
from tests.commands import Command
from tests.supplier import Supplier, on_sqlite


@pytest.fixture
def command(environ: dict[str, str]) -> Command:
    return Command(environ, "incident")


WHY = ("--reason", "A cable was cut.")


def test_an_incident_is_declared_listed_and_ended(
    supplier: Supplier, command: Command, tmp_path: Path
) -> None:
    problem = supplier.opened(serviceId="SI0000000000101")
    services = tmp_path / "services"
    services.write_text("SI0000000000102\n\nSI0000000000103\n", encoding="utf-8")
    words = ("INC1", "--problem", problem.reference, "--services-from", str(services), *WHY)

    assert command("declare", *words).stdout == "INC1 declared, over 3 services\n"
    assert command("declare", *words).stdout == "INC1 was declared before, over 3 services\n"
    line, not_linked = command("list").stdout.splitlines()
    assert line.split()[:2] == ["INC1", "declared"]
    assert line.endswith("3 services, 0 problems linked, under way")
    assert not_linked == f"  not linked  {problem.reference}"
    (shown,) = json.loads(command("list", "--json").stdout)
    assert (shown["text"], shown["services"]) == ("A cable was cut.", 3)
    ended = command("end", "INC1", "--reason", "It is mended.")
    assert ended.stdout == "INC1 ended for 0 problems\n"
    line, told = command("show", "INC1").stdout.splitlines()
    assert line.startswith("INC1  declared  ended 20")
    assert line.endswith("3 services, 0 problems linked, under way")
    assert told == "  text        A cable was cut."
    assert json.loads(command("show", "INC1", "--json").stdout)["services"] == 3
    none = command("list")
    assert (none.stdout, none.stderr) == ("", "there are no incidents\n")

    row = tables.operator_action.c
    query = select(row.who, row.action, row.reason).order_by(row.id)
    actions = supplier.services.store.read(lambda uow: uow.connection.execute(query).all())
    assert actions == [
        ("jo", "incident declare", ""),
        ("jo", "incident end", "It is mended."),
    ]


@on_sqlite
def test_it_may_be_over_parts_of_the_network(supplier: Supplier, command: Command) -> None:
    problem = supplier.opened()
    scopes = ("--scope", "exchange=LEEDS", "--scope", "specification=ftthl2r")
    declared = command("declare", "INC1", *scopes, *WHY)
    assert declared.stdout == "INC1 declared, over exchange=LEEDS, specification=ftthl2r\n"
    line, not_linked = command("list").stdout.splitlines()
    assert line.endswith("exchange=LEEDS, specification=ftthl2r, 0 problems linked, under way")
    assert not_linked == f"  not linked  {problem.reference}"
    both = command("declare", "INC2", "--scope", "area=N=1", "--service", "SI1", *WHY)
    assert both.stdout == "INC2 declared, over area=N=1, 1 service\n"
    unknown = command("declare", "INC3", "--scope", "city=LEEDS", *WHY)
    assert unknown.exit_code == 1
    assert "scopes[0].kind: expected one of area, exchange, specification" in unknown.stderr
    wrong = command("declare", "INC3", "--scope", "LEEDS", *WHY)
    assert (wrong.exit_code, "expected KIND=VALUE, not LEEDS" in wrong.stderr) == (2, True)


@on_sqlite
def test_what_is_refused_is_told_with_its_field(supplier: Supplier, command: Command) -> None:
    assert supplier.problems() == 0
    for words, told in (
        (("declare", "INC1", *WHY), "services: expected a service"),
        (("declare", "INC 1", "--service", "SI1", *WHY), "id: expected to match"),
        (("declare", "INC1", "--problem", "SP_UNKNOWN01", *WHY), "problems[0]: no such problem"),
        (("end", "INC1", *WHY), "there is no incident INC1"),
        (("show", "INC1"), "there is no incident INC1"),
    ):
        result = command(*words)
        assert result.exit_code == 1
        assert told in result.stderr
    assert command("declare", "INC1", "--service", "SI1").exit_code == 2
    missing = command("declare", "INC1", "--services-from", "not-there", *WHY)
    assert (missing.exit_code, "not-there" in missing.stderr) == (2, True)


@on_sqlite
def test_one_that_has_ended_is_not_ended_again(supplier: Supplier, command: Command) -> None:
    assert supplier.problems() == 0
    command("declare", "INC1", "--service", "SI1", *WHY)
    command("end", "INC1", *WHY)
    again = command("end", "INC1", *WHY)
    assert (again.exit_code, "INC1 ended on 20" in again.stderr) == (1, True)
    renewed = command("declare", "INC1", "--service", "SI1", *WHY)
    assert (renewed.exit_code, "expected a new id" in renewed.stderr) == (1, True)
