"""The inventory."""

import threading
from pathlib import Path

import pytest

from supplier_api.decisions.facts import UNKNOWN, InventoryUnavailable, Service
from supplier_api.decisions.inventory import (
    COLUMNS,
    CsvInventory,
    InventoryError,
    TimedInventory,
)

HEAD = ",".join(COLUMNS)
ROW = "SI1,ftthl2r,FTTH,suspended,200004033694,UPRN,INC1,true"


def csv_inventory(folder: Path, text: str, *, any_live: bool = False) -> CsvInventory:
    path = folder / "services.csv"
    path.write_text(text, encoding="utf-8")
    return CsvInventory(path, any_live=any_live)


def test_a_row_is_a_service(tmp_path: Path) -> None:
    inventory = csv_inventory(tmp_path, f"{HEAD}\n{ROW}\nSI2,,,live,,,,\n")
    assert inventory.find("TENANT1", "SI1") == Service(
        "SI1",
        "ftthl2r",
        "FTTH",
        "suspended",
        "200004033694",
        "UPRN",
        "INC1",
        appointment_needed=True,
    )
    assert inventory.find("TENANT1", "SI2") == Service("SI2")
    assert inventory.find("TENANT1", "SI0000000000003") is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("service_id,state\n", ":1: the columns must be service_id"),
        ("", ":1: the columns must be"),
        (f"{HEAD}\nSI1,a,b\n", ":2: 8 columns are needed"),
        (f"{HEAD}\n{ROW},x\n", ":2: 8 columns are needed"),
        (f"{HEAD}\n{ROW}\n{ROW}\n", ":3: SI1 stands here twice"),
        (f"{HEAD}\nSI1,,,live,,,,maybe\n", ":2: appointment_needed is true or false, not maybe"),
        (f"{HEAD}\nSI1,,,,,,,\n", ":2: service_id and state are needed"),
        (f'{HEAD}\n"SI1,,,,,,,\n', "cannot be read"),
    ],
)
def test_a_mistake_in_the_file_stops_the_start(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(InventoryError, match=what):
        csv_inventory(tmp_path, text)


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="cannot be read"):
        CsvInventory(tmp_path / "none.csv", any_live=True)


@pytest.mark.parametrize(
    ("service_id", "found"),
    [
        ("SI2345432345345", Service("SI2345432345345", "ftthl2r", "FTTH")),
        ("SCENARIO_SERVICE_PROBLEM_DELAYED-7", Service("SCENARIO_SERVICE_PROBLEM_DELAYED-7")),
        ("SI234543234534", None),
        ("SI23454323453456", None),
        ("SI٢345432345345", None),
        ("XSCENARIO_A", None),
    ],
)
def test_in_the_sandbox_services_without_a_row_are_live(
    tmp_path: Path, service_id: str, found: Service | None
) -> None:
    inventory = csv_inventory(tmp_path, f"{HEAD}\n{ROW}\n", any_live=True)
    assert inventory.find("TENANT1", service_id) == found


class Failing:
    """An inventory that raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def find(self, tenant: str, service_id: str) -> Service | None:  # noqa: ARG002
        raise self.error


@pytest.mark.parametrize("immediate", [True, False])
@pytest.mark.parametrize("error", [InventoryUnavailable(), KeyError("x")])
def test_an_inventory_that_fails_knows_nothing(error: Exception, immediate: bool) -> None:
    inventory = TimedInventory(Failing(error), immediate=immediate)
    assert inventory.find("TENANT1", "SI1", 5) is UNKNOWN


@pytest.mark.parametrize("immediate", [True, False])
def test_an_inventory_that_answers_is_believed(tmp_path: Path, immediate: bool) -> None:
    inventory = TimedInventory(csv_inventory(tmp_path, f"{HEAD}\n{ROW}\n"), immediate=immediate)
    found = inventory.find("TENANT1", "SI1", 5)
    assert isinstance(found, Service)
    assert inventory.find("TENANT1", "SI2", 5) is None


def test_an_inventory_that_hangs_knows_nothing() -> None:
    class Hanging:
        over = threading.Event()

        def find(self, tenant: str, service_id: str) -> Service | None:  # noqa: ARG002
            self.over.wait()
            return None

    inventory = TimedInventory(Hanging())
    assert inventory.find("TENANT1", "SI1", 0.01) is UNKNOWN
    Hanging.over.set()
