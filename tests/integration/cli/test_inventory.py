"""`supplier-api inventory find`: what the rules would be told of a service."""

import json

import pytest
from click.testing import CliRunner, Result

from supplier_api.cli import main
from supplier_api.rules.facts import InventoryUnavailable

OWNED = "SI0000000000008"  # in config/services.csv, of TENANT2


def find(*words: str, **environ: str) -> Result:
    arguments = ["inventory", "find", *words]
    return CliRunner().invoke(main, arguments, env={"SUPPLIER_API_PROFILE": "sandbox", **environ})


def test_a_service_is_shown_with_all_that_is_known_of_it() -> None:
    result = find("SI0000000000004")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert "address_id          200004033694" in lines
    assert "incident            -" in lines
    assert lines[-1].startswith("answered by csv in ")
    found = json.loads(find("SI0000000000004", "--json").stdout)
    assert (found["state"], found["appointment_needed"]) == ("live", False)


def test_a_service_of_another_tenant_is_not_there() -> None:
    result = find(OWNED)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"the inventory has no service {OWNED} for TENANT1" in result.stderr
    owner = find(OWNED, "--tenant", "TENANT2", "--json")
    assert json.loads(owner.stdout)["tenant"] == "TENANT2"


def test_an_inventory_that_fails_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_asked: object) -> None:
        raise InventoryUnavailable("no route")

    monkeypatch.setattr("supplier_api.rules.inventory.CsvInventory.find", fail)
    result = find(OWNED)
    assert result.exit_code == 1
    assert "csv: raised InventoryUnavailable: no route" in result.stderr
