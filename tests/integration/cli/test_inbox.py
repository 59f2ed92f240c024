"""`supplier-api inbox list | show | replay | skip`, and the inbox in `status`."""

import json

import pytest

from supplier_api.db import UnitOfWork
from supplier_api.problems.inbox_repository import InboxRepository, InboxState
from tests.commands import Command
from tests.supplier import Supplier, on_sqlite


@pytest.fixture
def command(environ: dict[str, str]) -> Command:
    return Command(environ)


def received(supplier: Supplier, name: str, *, failed: bool = False) -> int:
    """Put a webhook into the inbox; return its number."""
    now = supplier.machine.now()

    def work(uow: UnitOfWork) -> int:
        inbox = InboxRepository(uow)
        assert inbox.add("desk", name, {"x-event": "changed"}, b'{"ticket": "T-1"}', now)
        webhook = inbox.listed(InboxState.QUEUED, 99)[-1]
        if failed:
            inbox.settle(webhook, InboxState.FAILED, now, "not understood: status: is empty")
        return webhook.id

    return supplier.services.store.write(work)


def test_webhooks_are_listed_shown_replayed_and_skipped(
    supplier: Supplier, command: Command
) -> None:
    none = command("inbox", "list")
    assert (none.stdout, none.stderr) == ("", "no webhook waits or has failed\n")
    failed = received(supplier, "msg_1", failed=True)
    waits = received(supplier, "msg_2")

    first, second = command("inbox", "list").stdout.splitlines()
    assert first.split()[:3] == [str(failed), "desk", "failed"]
    assert first.endswith("msg_1  not understood: status: is empty")
    assert second.split()[:3] == [str(waits), "desk", "queued"]
    assert "there are more than 1" in command("inbox", "list", "--limit", "1").stderr
    shown = json.loads(command("inbox", "show", str(failed), "--json").stdout)
    assert (shown["key"], shown["body"]) == ("msg_1", '{"ticket": "T-1"}')
    assert shown["possible"] == ["show", "replay", "skip"]
    assert "x-event" in command("inbox", "show", str(failed)).stdout

    why = ("--reason", "It is mended.")
    assert command("inbox", "replay", str(failed), *why).stdout == (
        f"{failed}  failed -> queued, due now\n"
    )
    assert command("inbox", "skip", str(waits), *why).stdout == f"{waits}  queued -> skipped\n"
    again = command("inbox", "skip", str(waits), *why)
    assert again.exit_code == 1
    assert "possible: show, replay" in again.stderr
    (listed,) = json.loads(command("inbox", "list", "--state", "skipped", "--json").stdout)
    assert listed["number"] == waits
    for words in (("show", "999"), ("replay", "999", *why)):
        refused = command("inbox", *words)
        assert refused.exit_code == 1
        assert "there is no webhook 999" in refused.stderr


@on_sqlite
def test_the_status_tells_of_the_inbox(supplier: Supplier, command: Command) -> None:
    def line() -> dict[str, object]:
        told = json.loads(command("status", "--json").stdout)
        (found,) = (each for each in told["lines"] if each["name"] == "inbox")
        return dict(found)

    assert (line()["level"], line()["text"]) == ("ok", "0 waiting, 0 failed")
    received(supplier, "msg_1", failed=True)
    received(supplier, "msg_2")
    told = line()
    assert told["level"] == "bad"
    assert str(told["text"]).startswith("1 waiting, 1 failed, the oldest for ")
    assert told["look"] == "supplier-api inbox list"
