"""What happened about one problem, step by step: who told whom what, and what was answered.

Made of the read model of a problem (problems.view), so that the drawing shows what it shows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from supplier_api.outbox.model import MessageState

Entry = Mapping[str, Any]


class Lane(IntEnum):
    """Those between whom messages go, from left to right."""

    TENANT = 0
    GATEWAY = 1
    SUPPLIER = 2
    BACK_OFFICE = 3

    @property
    def title(self) -> str:
        """The name as people read it."""
        return self.name.replace("_", " ").lower()


@dataclass(frozen=True, slots=True)
class Step:
    """One message and its answer.

    `what` and `answer` are short, for the drawing; `words` is the whole of it as a sentence.
    `level` is what the answer means, in the words of the style sheet: ok, warn, bad, busy, idle.
    `tenant` is what the tenant did before it, or sees after it; "" for nothing. `journal` is the id
    under which the journal has the calls, "" for a step that is no call of the gateway's.
    """

    at: str
    sender: Lane
    receiver: Lane
    what: str
    answer: str
    level: str
    words: str
    tenant: str = ""
    journal: str = ""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a tenant asks for: in words, and the call that it becomes."""

    words: str
    call: str


ASKED = {
    "problem": _Asked("raises a problem", "POST /service-problems"),
    "amendment": _Asked("amends it", "POST /service-problem-amendments"),
    "cancellation": _Asked("cancels it", "POST /service-problem-cancellations"),
}
ANSWERED = _Asked("answers the resolution", "PATCH /service-problem-resolutions")
# What an answer says beside its number, by the rule book's outcome.
OUTCOMES = {
    "acknowledge": "ACKNOWLEDGED",
    "commit": "IN_PROGRESS",
    "defer": "decided later",
    "reject": "refused",
}
# What became of a message that was not delivered, and what that means.
UNDELIVERED = {
    MessageState.QUEUED: ("waiting", "busy"),
    MessageState.REFUSED: ("refused for good", "bad"),
    MessageState.EXPIRED: ("given up", "bad"),
    MessageState.SKIPPED: ("left out", "idle"),
}


def steps(timeline: list[dict[str, Any]]) -> list[Step]:
    """Return what was sent and said of a problem's timeline, as problems.view has it."""
    return [_MADE[entry["what"]](entry) for entry in timeline if entry["what"] in _MADE]


def _request(entry: Entry) -> Step:
    asked = ASKED.get(entry["operation"], ANSWERED)
    status = int(entry["answer"]) if entry["answer"] else 0
    outcome = OUTCOMES.get(entry["outcome"] or "", "")
    if entry["operation"] in {"amendment", "cancellation"} and entry["outcome"] == "commit":
        outcome = "done"
    answer = f"{status} {outcome}".strip() if status else "not answered yet"
    level = "bad" if status >= 400 else "busy" if status in {0, 202} else "ok"
    rule = f", by the rule {entry['rule']}" if entry["rule"] else ""
    reasons = "".join(f"; {each['message']}" for each in entry["reasons"])
    return Step(
        at=entry["at"],
        sender=Lane.GATEWAY,
        receiver=Lane.SUPPLIER,
        what=asked.call.replace("/service-", "").replace("problem-", ""),
        answer=answer,
        level=level,
        words=f"The tenant {asked.words}: the gateway sends {asked.call}, the supplier answers"
        f" {answer}{rule}{reasons}.",
        tenant=asked.words,
        journal=entry["requestId"],
    )


def _kci(entry: Entry) -> Step:
    what = f"KCI {entry['number']} {entry['kind']}"
    answer, level = _became(entry, "taken")
    taken = entry["state"] == MessageState.DELIVERED
    status = str(entry.get("status") or "")
    seen = f"; the tenant sees {status}" if taken and status else ""
    return Step(
        at=entry["at"],
        sender=Lane.SUPPLIER,
        receiver=Lane.GATEWAY,
        what=what,
        answer=answer,
        level=level,
        words=f"The supplier tells the gateway {what}: {answer}{_why(entry)}{seen}.",
        tenant=status if taken else "",
        journal=entry["id"],
    )


def _order(entry: Entry) -> Step:
    answer, level = _became(entry, entry["backOfficeId"] or "taken")
    return Step(
        at=entry["at"],
        sender=Lane.SUPPLIER,
        receiver=Lane.BACK_OFFICE,
        what=f"order: {entry['kind']}",
        answer=answer,
        level=level,
        words=f"The supplier gives the back office a work order, {entry['kind']}:"
        f" {answer}{_why(entry)}.",
    )


def _event(entry: Entry) -> Step:
    status = int(entry["answer"])
    answer = f"{entry['status'] or status}" if status < 400 else f"{status} refused"
    return Step(
        at=entry["at"],
        sender=Lane.BACK_OFFICE,
        receiver=Lane.SUPPLIER,
        what=f"event: {entry['event']}",
        answer=answer,
        level="ok" if status < 400 else "bad",
        words=f"The back office says {entry['event']}: {answer}.",
    )


def _became(entry: Entry, taken: str) -> tuple[str, str]:
    """Return what became of a message, and what that means; `taken` names a success."""
    attempts = entry["attempts"]
    last = attempts[-1] if attempts else {}
    code = f"{last['status']} " if last.get("status") else ""
    many = f" ({len(attempts)} attempts)" if len(attempts) > 1 else ""
    if entry["state"] == MessageState.DELIVERED:
        return f"{code}{taken}{many}", "ok"
    words, level = UNDELIVERED[entry["state"]]
    if entry["state"] == MessageState.QUEUED and attempts:
        words, level = "tried again", "warn"
    return f"{code}{words}{many}", level


def _why(entry: Entry) -> str:
    """Return how the last attempt of a message ended that was not delivered; "" for others."""
    if entry["state"] == MessageState.DELIVERED or not entry["attempts"]:
        return ""
    return f" ({entry['attempts'][-1]['detail']})"


_MADE: Mapping[str, Callable[[Entry], Step]] = {
    "request": _request,
    "kci": _kci,
    "order": _order,
    "event": _event,
}
