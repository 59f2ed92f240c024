"""The sample desk, and the adapter to it, which keeps the published contract."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
import requests
from flask import Flask
from werkzeug.serving import make_server

from supplier_api.backoffice.contract import BackOfficeContract, settings_of
from supplier_api.backoffice.contract_orders import first_order, following_orders
from supplier_api.backoffice.port import Notice
from supplier_api.sandbox.sample_desk import DeskSystem, RunningDesk, SampleDesk
from supplier_api.sandbox.sample_desk.adapter import SampleDeskAdapter, SampleDeskOptions
from supplier_api.sandbox.sample_desk.web import HookSender, take_order
from tests.waiting import PATIENCE

ORDER = {"id": "o-1", "kind": "problem", "reference": "SP_1", "problem": {"problemText": "Down."}}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningDesk]:
    with RunningDesk(tmp_path / "desk.db") as running:
        yield running


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve an application, and yield its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


class TestContract(BackOfficeContract):
    @pytest.fixture
    def adapter(self, running: RunningDesk, request: pytest.FixtureRequest) -> SampleDeskAdapter:
        # Only one that is slow on purpose is given up.
        slow = request.function.__name__ == "test_a_slow_system_is_given_up"
        options = SampleDeskOptions(url=running.url, timeout=1.0 if slow else PATIENCE)
        return SampleDeskAdapter(settings_of("sample-desk", options))

    @pytest.fixture
    def system(self, running: RunningDesk) -> DeskSystem:
        return DeskSystem(running)


def test_tickets_survive_a_restart(tmp_path: Path) -> None:
    before = SampleDesk(tmp_path / "desk.db")
    number = before.create({"reference": "SP_1"})["number"]
    before.close()

    after = SampleDesk(tmp_path / "desk.db")

    assert after.ticket(number)["reference"] == "SP_1"
    assert len(after.webhooks()) == 1


def test_a_create_that_comes_twice_makes_two_tickets(tmp_path: Path) -> None:
    desk = SampleDesk(tmp_path / "desk.db")

    numbers = {desk.create({"reference": "SP_1"})["number"] for _ in range(2)}

    assert numbers == {"T-1", "T-2"}


def test_a_work_order_that_comes_twice_has_one_effect(tmp_path: Path) -> None:
    desk = SampleDesk(tmp_path / "desk.db")
    amendment = ORDER | {"id": "o-2", "kind": "amendment", "subject": {"notes": "The gate."}}

    for order in (ORDER, ORDER, amendment, amendment):
        take_order(desk, order)

    assert [each["comments"] for each in desk.tickets()] == [["amendment The gate. [o-2]"]]


def test_what_people_did_before_an_order_comes_again_is_no_echo_of_it(tmp_path: Path) -> None:
    desk = SampleDesk(tmp_path / "desk.db")
    answer = ORDER | {"id": "o-2", "kind": "resolution-answer", "outbound": {"status": "Working"}}
    made = take_order(desk, ORDER)
    desk.change("T-1", {"status": "Done"})

    assert made == {"ticket": "T-1", "version": 1}
    assert take_order(desk, ORDER) == {"ticket": "T-1", "version": 1}
    assert take_order(desk, answer) == {"ticket": "T-1", "version": 3}
    desk.change("T-1", {"status": "Done"})
    assert take_order(desk, answer) == {"ticket": "T-1"}
    assert desk.ticket("T-1")["status"] == "Done"


def test_the_adapter_takes_what_people_did_for_no_echo(running: RunningDesk) -> None:
    options = SampleDeskOptions(url=running.url)
    adapter = SampleDeskAdapter(settings_of("sample-desk", options))
    first = first_order()
    made = adapter.submit(first)
    assert made.back_office_id
    running.desk.change(made.back_office_id, {"status": "Done", "cause": "Cable"})

    again = adapter.submit(first)

    done = adapter.read(made.back_office_id)
    assert done
    assert again.version is not None
    assert again.version < done.version
    [answered] = [
        order
        for order in following_orders(first, made.back_office_id)
        if order.kind == Notice.RESOLUTION_ANSWER
    ]
    assert adapter.submit(answered).version is not None
    running.desk.change(made.back_office_id, {"status": "Done"})
    assert adapter.submit(answered).version is None
    assert running.desk.ticket(made.back_office_id)["status"] == "Done"


@pytest.mark.parametrize(
    ("new", "status", "seen"),
    [
        # A desk that knows no status but this one until work is done.
        ("new: [New]", "New", False),
        ("new: [New]", "Working", True),
        # Where the mapping does not say it, what means more than ACKNOWLEDGED may be work.
        ("", "New", True),
    ],
)
def test_a_ticket_as_it_was_made_is_no_work_though_its_order_comes_again(
    running: RunningDesk, tmp_path: Path, new: str, status: str, seen: bool
) -> None:
    folder = shutil.copytree(SampleDeskOptions(url="").mapping.parent, tmp_path / "desk")
    text = (folder / "mapping.yaml").read_text().replace("New: ACKNOWLEDGED", "New: IN_PROGRESS")
    (folder / "mapping.yaml").write_text(re.sub(r"new: \[New\].*", new, text))
    options = SampleDeskOptions(url=running.url, mapping=folder / "mapping.yaml")
    adapter = SampleDeskAdapter(settings_of("sample-desk", options))
    made = adapter.submit(first_order(decide=True))
    assert made.back_office_id
    if status != "New":
        running.desk.change(made.back_office_id, {"status": status})

    again = adapter.submit(first_order(decide=True))

    ticket = adapter.read(made.back_office_id)
    assert ticket
    assert again.version is not None
    assert (again.version < ticket.version) is seen


def test_every_tenth_webhook_is_lost(tmp_path: Path) -> None:
    desk, taken, told = SampleDesk(tmp_path / "desk.db"), [], Event()
    app = Flask("hooks")

    @app.post("/")
    def hook() -> str:
        taken.append(True)
        if len(taken) == 9 + 9:
            told.set()
        return ""

    for _ in range(20):
        desk.create({"reference": "SP_1"})
    with served(app) as url:
        sender = HookSender(desk, Event(), url, "secret")
        sender.start()
        assert told.wait(PATIENCE)
        sender.stopping = True
        sender.join()

    assert len(taken) == 18
    assert desk.webhooks() == []


def test_what_there_is_not_and_what_cannot_be(running: RunningDesk) -> None:
    ticket = running.desk.create({"reference": "SP_1"})["number"]

    missing = requests.get(f"{running.url}/tickets/T-99", timeout=PATIENCE)
    wrong = requests.patch(
        f"{running.url}/tickets/{ticket}", json={"status": "?"}, timeout=PATIENCE
    )

    assert missing.status_code == 404
    assert wrong.status_code == 422
