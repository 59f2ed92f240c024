"""The inventory."""

import threading
from pathlib import Path

import pytest

from supplier_api.clock import ManualMachineClock
from supplier_api.rules.facts import UNKNOWN, InventoryUnavailable, Service
from supplier_api.rules.inventory import (
    CALLS_AT_ONCE,
    COLUMNS,
    CsvInventory,
    InventoryError,
    TimedInventory,
)
from supplier_api.rules.plugins import PATIENCE

HEAD = ",".join(COLUMNS[:8])  # of the first release
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
        (f"{HEAD}\nSI1,a,b\n", ":2:1: 8 columns are needed, not 3"),
        (f"{HEAD}\n{ROW},x\n", ":2:1: 8 columns are needed, not 9"),
        (f"{HEAD}\n{ROW}\n{ROW}\n", ":3:1: SI1 stands here twice"),
        (
            f"{HEAD}\nSI1,,,live,,,,maybe\n",
            ":2:15: appointment_needed is true or false, not maybe",
        ),
        (f"{HEAD}\nSI1,,,,,,,\n", ":2:7: state: is needed"),
        (f"{HEAD}\n,,,live,,,,\n", ":2:1: service_id: is needed"),
        (f'{HEAD}\n"SI1,,,,,,,\n', ":2:1: no CSV"),
        (f"{HEAD}\nSI1,,,Live,,,,\n", r":2:7: state: Live is not known \(did you mean live\?\)"),
        (f"{HEAD}\nSI1,,,active,,,,\n", r":2:7: state: active .*did you mean live"),
        (f"{HEAD}\nSI1,,,lvie,,,,\n", r":2:7: state: lvie .*did you mean live"),
        (f"{HEAD}\nSI1,,,Ceased,,,,\n", r":2:7: state: Ceased is not known \(live, or in small"),
        (f"{HEAD}\nSI1,,, live,,,,\n", ":2:7: state: begins or ends with a blank"),
        # What stands in quotes is one cell, with its commas, quotes and line ends.
        (f'{HEAD}\nSI1,"a,""b",FTTH,Live,,,,\n', ":2:18: state: Live"),
        (f'{HEAD}\n\nSI1,"a\nb",,live,,,,\n', ":3:5: specification: .* holds a line end"),
        (f"{HEAD}\nSI1,,,live,,,{'I' * 65},\n", ":2:14: incident: longer than 64 characters"),
    ],
)
def test_a_mistake_in_the_file_stops_the_start(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(InventoryError, match=what):
        csv_inventory(tmp_path, text)


def test_a_file_may_have_every_column_and_none_in_another_place(tmp_path: Path) -> None:
    head = ",".join(COLUMNS)
    more = "," * (len(COLUMNS) - 8)
    inventory = csv_inventory(tmp_path, f"{head}\n{ROW}{more}\n")
    assert inventory.find("TENANT1", "SI1") is not None
    for columns in (COLUMNS[:7], (*COLUMNS, "more"), COLUMNS[::-1]):
        with pytest.raises(InventoryError, match=":1: the columns must be"):
            csv_inventory(tmp_path, ",".join(columns) + "\n")


@pytest.mark.parametrize("any_live", [True, False])
def test_a_service_is_there_for_its_owner_only(tmp_path: Path, any_live: bool) -> None:
    service = "SI0000000000001"
    owned = f"{HEAD},tenant\n{service},,,live,,,,,TENANT1\nSI2,,,live,,,,,\n"
    inventory = csv_inventory(tmp_path, owned, any_live=any_live)
    assert inventory.find("TENANT1", service) == Service(service, tenant="TENANT1")
    assert inventory.find("TENANT2", service) is None
    assert inventory.find("TENANT2", "SI2") == Service("SI2")


def test_a_row_may_say_where_the_service_is(tmp_path: Path) -> None:
    placed = f"{HEAD},tenant,area,exchange\nSI1,,,live,,,,,,NORTH,LEEDS\nSI2,,,live,,,,,,,\n"
    inventory = csv_inventory(tmp_path, placed)
    assert inventory.find("TENANT1", "SI1") == Service("SI1", area="NORTH", exchange="LEEDS")
    assert inventory.find("TENANT1", "SI2") == Service("SI2")
    with pytest.raises(InventoryError, match="exchange: longer than 255 characters"):
        csv_inventory(tmp_path, f"{placed}SI3,,,live,,,,,,,{'x' * 256}\n")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    rows = "".join(f"SI{number},,,Live,,,,\n" for number in range(25))
    with pytest.raises(InventoryError) as error:
        csv_inventory(tmp_path, f"{HEAD}\n{rows}")
    lines = str(error.value).splitlines()
    assert [line.split(":")[1] for line in lines[:20]] == [str(2 + number) for number in range(20)]
    assert lines[20:] == ["and 5 more"]


@pytest.mark.parametrize("state", ["live", "ceased", "not live", "in_build-2"])
def test_a_supplier_has_words_of_its_own_for_why_a_service_is_not_live(
    tmp_path: Path, state: str
) -> None:
    found = csv_inventory(tmp_path, f"{HEAD}\nSI1,,,{state},,,,\n").find("TENANT1", "SI1")
    assert found == Service("SI1", state=state)


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


@pytest.mark.parametrize("given", [Service("SI1", state="Live"), {"service_id": "SI1"}])
def test_what_no_rule_should_see_is_not_known(given: object) -> None:
    class Careless:
        def find(self, tenant: str, service_id: str) -> Service | None:  # noqa: ARG002
            return given  # type: ignore[return-value]

    assert TimedInventory(Careless()).find("TENANT1", "SI1", 5) is UNKNOWN


def test_threads_that_hang_are_given_up_and_replaced_ever_more_slowly() -> None:
    class Hanging:
        over = threading.Event()
        hangs = True

        def find(self, tenant: str, service_id: str) -> Service | None:  # noqa: ARG002
            if self.hangs:
                self.over.wait()
            return None

    # Those of other tests may end meanwhile.
    before, clock, source = set(threading.enumerate()), ManualMachineClock(), Hanging()

    def running() -> int:
        new = set(threading.enumerate()) - before
        return sum(each.name.startswith("inventory-") for each in new)

    inventory = TimedInventory(source, clock)

    def hang() -> int:
        """Ask more often than there are threads; return how many threads there are then."""
        for _ in range(CALLS_AT_ONCE + 1):
            assert inventory.find("TENANT1", "SI1", 0.002) is UNKNOWN
        return running()

    assert hang() == CALLS_AT_ONCE
    clock.advance(PATIENCE)
    assert hang() == CALLS_AT_ONCE
    clock.advance(1)
    assert hang() == 2 * CALLS_AT_ONCE
    for extra in (1, 2, 3):
        clock.advance(2 * PATIENCE)
        assert hang() == 2 * CALLS_AT_ONCE + extra

    source.hangs = False
    clock.advance(2 * PATIENCE)
    assert inventory.find("TENANT1", "SI1", 5) is None
    source.over.set()


def test_an_inventory_that_hangs_knows_nothing() -> None:
    class Hanging:
        over = threading.Event()

        def find(self, tenant: str, service_id: str) -> Service | None:  # noqa: ARG002
            self.over.wait()
            return None

    inventory = TimedInventory(Hanging())
    assert inventory.find("TENANT1", "SI1", 0.01) is UNKNOWN
    Hanging.over.set()
