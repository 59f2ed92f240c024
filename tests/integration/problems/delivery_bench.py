"""Delivery to receivers with scripted replies, and an operator who repairs messages."""

import hashlib
import json
import re
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

from supplier_api import contract as wire
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, Operator, OperatorActionRepository
from supplier_api.delivery.kci_rewrite import tells_reference
from supplier_api.delivery.message_admin import MessageAdmin, Result
from supplier_api.delivery.model import Destination, Meaning, Reply
from supplier_api.delivery.time_window import TimeWindow
from supplier_api.outbox.model import Message, MessageState
from supplier_api.problems.delivered_kcis import DeliveredKci, concerned, kci_delivered
from supplier_api.problems.services import BACK_OFFICE, GATEWAY
from tests.integration.delivery.conftest import PATIENCE, POLICY, TAKEN, Round
from tests.integration.problems.rig import Rig

REFUSAL = {"status": 422, "code": "INVALID_REQUEST", "uuid": "1", "messages": ["text: too long"]}
REFUSED = Reply(Meaning.REFUSED, "422 INVALID_REQUEST", 422, refusal=REFUSAL)
BUSY = Reply(Meaning.FAILED, "503", 503)
LOST = Reply(Meaning.FAILED, "connection closed without an answer", unknown=True)
BY = Operator("ann", "the text was too long")


class Receiver:
    """Accepts every message, unless other replies are set for its number."""

    def __init__(self) -> None:
        self.replies: dict[int, deque[Reply]] = defaultdict(deque)
        self.sent: list[dict[str, Any]] = []
        self.numbers: list[int] = []

    def reply_with(self, number: int, *replies: Reply) -> None:
        """Set the replies to the next attempts of that number."""
        self.replies[number].extend(replies)

    def send(self, message: Message, seconds: float) -> Reply:  # noqa: ARG002 - the port's
        """Return the next reply that is set, or accept."""
        self.sent.append(json.loads(message.body))
        self.numbers.append(message.number)
        replies = self.replies[message.number]
        return replies.popleft() if replies else TAKEN


class Bench:
    """A rig with delivery, and an operator."""

    def __init__(self, rig: Rig, *, passing: bool = False) -> None:
        self.rig = rig
        self.repair = MessageAdmin(rig.services)
        self.gateway, self.back_office = Receiver(), Receiver()
        to_gateway = Destination(
            GATEWAY,
            self.gateway,
            POLICY,
            threads=1,
            pass_dead_letters=passing,
            on_delivered=self._taken,
            on_left_out=lambda uow, message, _reply: self.repair.left_out(uow, message),
            concerns=self._concerned,
        )
        to_back_office = Destination(
            BACK_OFFICE,
            self.back_office,
            POLICY,
            threads=1,
            on_delivered=lambda uow, message, _reply: self.repair.order_taken(uow, message),
        )
        self._rounds = [Round(rig.store, rig.machine, to) for to in (to_gateway, to_back_office)]

    def close(self) -> None:
        """Stop delivering."""
        for each in self._rounds:
            each.dispatcher.give_back(PATIENCE)
            each.dispatcher.finish(PATIENCE)

    # -- delivery

    def under_way(self) -> None:
        """Raise a problem and begin work: KCI 1 is accepted, 2 (DELAY), 3 (RESUMED) are queued."""
        self.rig.create()
        self.rig.say("start")
        self.deliver()
        self.rig.say("hold", problem_code="ACCESS_ISSUE", text="No key.")
        self.rig.machine.advance(60)
        self.rig.say("resume")

    def deliver(self) -> list[int]:
        """Send what is due; return the numbers of the KCIs that were sent."""
        self.rig.machine.advance(1)
        before = len(self.gateway.numbers)
        for _ in range(20):
            count = len(self.gateway.numbers) + len(self.back_office.numbers)
            for each in self._rounds:
                each.turn()
            if count == len(self.gateway.numbers) + len(self.back_office.numbers):
                return self.gateway.numbers[before:]
        raise AssertionError("it never comes to rest")

    def refused(self, number: int, *more: Reply) -> None:
        """Let the gateway refuse a KCI of the problem of `under_way`."""
        self.gateway.reply_with(number, REFUSED, *more)
        self.deliver()
        assert self.state(number) == "refused"

    # -- the operator

    def replay(self, number: int, destination: str = GATEWAY) -> Result:
        """Replay a message."""
        return self.repair.replay(destination, self.name(number), BY)

    def skip(self, number: int, destination: str = GATEWAY) -> Result:
        """Skip a message."""
        return self.repair.skip(destination, self.name(number), BY)

    def edit(self, number: int, **changes: Any) -> Result:
        """Set fields of a KCI."""
        return self.repair.edit(self.name(number), lambda body: {**body, **changes}, BY)

    def replay_window(
        self, window: TimeWindow, *, rehearse: bool = False
    ) -> list[tuple[str, str, bool]]:
        """Replay the messages of the window; return number, report and success of each."""
        return [
            (result.name.partition("#")[2], result.text, result.done)
            for problem_id in self.repair.waiting(GATEWAY, window)
            for result in self.repair.replay_window(
                GATEWAY, problem_id, window, BY, rehearse=rehearse
            )
        ]

    # -- results

    def name(self, number: int) -> str:
        """Return the name of the problem's message: REFERENCE#NUMBER."""
        return f"{self.rig.problem().reference}#{number}"

    def row(self, number: int, destination: str = GATEWAY) -> Mapping[str, Any]:
        """Return the problem's message as it is stored."""
        return self.rig.messages(destination)[number - 1]

    def body(self, number: int) -> dict[str, Any]:
        """Return a KCI as it is stored; checks that it is valid and agrees with its row."""
        row = self.row(number)
        body: dict[str, Any] = json.loads(row["body"])
        assert wire.load_kci(body) == body
        assert (body["id"], body["sequenceNumber"]) == (row["uuid"], number)
        assert body["reasonCode"] == row["kind"]
        return body

    def state(self, number: int, destination: str = GATEWAY) -> str:
        """Return the state of a message; checks the digest of a delivered one."""
        row = self.row(number, destination)
        if row["state"] == MessageState.DELIVERED:
            digest = hashlib.sha256(row["body"].encode()).hexdigest()
            assert row["digest"] == f"sha256:{digest}"
        return str(row["state"])

    def states(self) -> list[str]:
        """Return the states of the problem's KCIs, in order."""
        return [self.state(number) for number in range(1, len(self.rig.messages(GATEWAY)) + 1)]

    def outcomes(self, number: int) -> list[str]:
        """Return the outcomes in the log of a KCI, in order."""
        return [entry["outcome"] for entry in self.row(number)["log"]]

    def actions(self) -> list[Action]:
        """Return the operator actions on the problem."""
        problem_id = self.rig.problem().id
        return self.rig.store.read(lambda uow: OperatorActionRepository(uow).of(problem_id))

    def notes(self, number: int) -> list[str]:
        """Return the notes of a KCI about withdrawn updates."""
        body = self.body(number)
        return [
            note["note"]
            for note in body.get("supplierNotes", [])
            if re.fullmatch(r"update \d+ was withdrawn", note["note"])
        ]

    def _taken(self, uow: UnitOfWork, message: Message, _reply: Reply) -> None:
        kci_delivered(self.rig.services, uow, taken(message))

    def _concerned(self, uow: UnitOfWork, messages: Sequence[Message]) -> set[int]:
        return concerned(uow, [taken(message) for message in messages])


def taken(message: Message) -> DeliveredKci:
    """Return the report about an accepted KCI."""
    reference = tells_reference(message.body) if message.mended else None
    return DeliveredKci(message.problem_id, message.kind, message.subject, reference)


@contextmanager
def bench(rig: Rig, *, passing: bool = False) -> Iterator[Bench]:
    """Yield a bench that delivers as long as it is used."""
    with closing(Bench(rig, passing=passing)) as made:
        yield made
