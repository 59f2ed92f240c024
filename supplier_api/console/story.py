"""A problem's time line in plain words: one sentence for each entry, and a picture of its lanes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from supplier_api.clock import from_wire
from supplier_api.problems import timeline
from supplier_api.problems.services import BACK_OFFICE, GATEWAY

# What somebody did who said an event; the words of the refusals name the event itself.
EVENTS: Mapping[str, str] = {
    "accept": "accepted the problem",
    "reject": "rejected the problem",
    "start": "started work",
    "hold": "put the work on hold",
    "resume": "resumed the work",
    "ask-information": "asked the tenant for information",
    "ask-appointment": "asked the tenant for an appointment",
    "reappointed": "confirmed the new appointment",
    "note": "sent the tenant a note",
    "warn": "warned the tenant",
    "resolve": "resolved the problem",
    "complete": "completed the problem",
    "reopen": "reopened the problem",
    "cancel": "cancelled the problem",
    "accept-change": "accepted the tenant's change",
    "reject-change": "rejected the tenant's change",
}
_REQUESTS: Mapping[str, str] = {
    "problem": "The tenant raised the problem",
    "amendment": "The tenant asked for an amendment",
    "cancellation": "The tenant asked for a cancellation",
    "resolution": "The tenant answered the resolution",
}
_OUTCOMES: Mapping[int, str] = {
    200: "we took note",
    201: "we accepted it",
    202: "we left the decision open",
}
_ORDERS: Mapping[str, str] = {
    "problem": "of a new problem",
    "amendment": "of an amendment",
    "cancellation": "of a cancellation",
    "resolution-answer": "of the tenant's answer to the resolution",
    "change-closed": "that a change was closed",
    "closed": "that the problem was closed",
    "event": "what somebody else did",
    "decision-due": "that a decision is due",
    "incident-joined": "that the problem joined an incident",
    "incident-left": "that the problem left an incident",
}
_RECEIVERS = {"kci": "the gateway", "order": "the back office"}
_ACTIONS: Mapping[str, str] = {
    "delivery pause": "paused its delivery",
    "delivery resume": "resumed its delivery",
    "unmask": "looked at what is personal in it",
    "privacy erase": "erased what was personal in it",
    "privacy export": "exported all that is stored of it",
    "kci replay": "had a KCI sent again",
    "kci edit": "edited a KCI and had it sent",
    "kci skip": "withdrew a KCI",
    "work-order replay": "had a work order sent again",
    "work-order skip": "gave a work order up",
    "ticket read": "had its ticket looked at again",
    "ticket applied": "had it compared with its ticket, and what that says applied",
}
_LEVELS = {"delivered": "ok", "queued": "busy", "parked": "warn", "skipped": "idle"}
SHOWN = 12  # messages of a lane


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the time line as it is told: a sentence that begins with `head`.

    `actor` is who did it: tenant, supplier, back-office or operator. `level` is what it means for
    who looks at it, as formats.LEVELS has it. `raw` is the entry of the read model.
    """

    at: str
    actor: str
    level: str
    head: str
    text: str
    raw: Mapping[str, Any]

    @property
    def day(self) -> str:
        """The day, as people write it."""
        return f"{from_wire(self.at):%-d %B %Y}"

    @property
    def clock(self) -> str:
        """The time of the day."""
        return f"{from_wire(self.at):%H:%M:%S}"


@dataclass(frozen=True, slots=True)
class Passed:
    """A state that the problem was in, since when, and for how long; None for the present one."""

    state: str
    at: str
    lasted: str | None


@dataclass(frozen=True, slots=True)
class DrawnLane:
    """A lane as it is drawn: its newest messages, each with its state, and how many came before."""

    destination: str
    title: str
    messages: Sequence[Mapping[str, Any]]
    before: int
    says: str


def told(entries: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """Return the entries of a time line in words."""
    makers = {"request": _request, "event": _event, "action": _action}
    return [makers.get(entry["what"], _message)(entry) for entry in entries]


def passed(entries: Sequence[Mapping[str, Any]], now: str, since: str) -> list[Passed]:
    """Return the states that a problem went through; `now` is the present one, `since` its last.

    A change that no entry tells of, as by time, ends the list.
    """
    states = list(timeline.states(entries))
    if not states or states[-1][1] != now:
        states.append((since, now))
    ends = [at for at, _ in states[1:]]
    made = []
    for (at, state), end in zip(states, [*ends, None], strict=True):
        lasted = span(from_wire(end) - from_wire(at)) if end else None
        made.append(Passed(state, at, lasted))
    return made


def span(lasted: timedelta) -> str:
    """Return a span of time in its two greatest units."""
    seconds = max(int(lasted.total_seconds()), 0)
    if seconds < 1:
        return "under 1 s"
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts = []
    for name, size in units:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def lanes(entries: Sequence[Mapping[str, Any]], parked: set[str]) -> Iterator[DrawnLane]:
    """Yield the lanes of a problem; `parked` are those that wait behind a dead letter."""
    for destination, what, title in (
        (GATEWAY, "kci", "KCIs to the gateway"),
        (BACK_OFFICE, "order", "Work orders to the back office"),
    ):
        stopped = destination in parked
        found = [
            {**entry, "drawn": _drawn(entry, stopped=stopped)}
            for entry in sorted(
                (each for each in entries if each["what"] == what), key=lambda each: each["number"]
            )
        ]
        yield DrawnLane(destination, title, found[-SHOWN:], len(found[:-SHOWN]), _counted(found))


def _drawn(entry: Mapping[str, Any], *, stopped: bool) -> str:
    state: str = entry["state"]
    return "parked" if stopped and state == "queued" else state


def _counted(found: Sequence[Mapping[str, Any]]) -> str:
    words = {
        "delivered": "delivered",
        "queued": "waiting",
        "parked": "parked behind a dead letter",
        "refused": "refused",
        "expired": "too old",
        "skipped": "not sent",
    }
    counts = [
        (sum(each["drawn"] == state for each in found), word) for state, word in words.items()
    ]
    return ", ".join(f"{count} {word}" for count, word in counts if count) or "none yet"


def _request(entry: Mapping[str, Any]) -> Entry:
    said = _REQUESTS.get(entry["operation"], f"The gateway sent a {entry['operation']}")
    answer = entry["answer"]
    if answer is None:
        return Entry(entry["at"], "tenant", "busy", said, "; it is not answered yet.", entry)
    came = _OUTCOMES.get(answer, "we refused it")
    if entry["outcome"] == "commit" and entry["operation"] == "problem":
        came = "we accepted it and began work"
    if entry["status"]:
        came = f"it is {entry['status']}"
    rule = f" by the rule {entry['rule']}" if entry["rule"] else ""
    level = "ok" if answer < 202 else "warn" if answer == 202 else "bad"
    return Entry(entry["at"], "tenant", level, said, f"; {came}{rule} ({answer}).", entry)


def _event(entry: Mapping[str, Any]) -> Entry:
    who = entry.get("who") or ("An operator" if entry["by"] else "The back office")
    actor = "operator" if entry["by"] else "back-office"
    if entry["answer"] != 200:
        text = "; it was not possible then, and nothing was done."
        return Entry(entry["at"], actor, "bad", f"{who} said {entry['event']}", text, entry)
    stands = f"; it is {entry['status']}." if entry["status"] else "."
    head = f"{who} {EVENTS.get(entry['event'], entry['event'])}"
    return Entry(entry["at"], actor, "idle", head, stands, entry)


def _action(entry: Mapping[str, Any]) -> Entry:
    did = _ACTIONS.get(entry["action"], f"did: {entry['action']}")
    head = f"{entry.get('who', 'An operator')} {did}"
    return Entry(entry["at"], "operator", "idle", head, ".", entry)


def _message(entry: Mapping[str, Any]) -> Entry:
    level = _LEVELS.get(entry["state"], "bad")
    if entry["what"] == "kci":
        head = f"KCI {entry['number']} {entry['kind']}"
        tells = f" tells the gateway that it is {entry['status']}:" if "status" in entry else ":"
    else:
        head = f"Work order {entry['number']}"
        about = _ORDERS.get(entry["kind"], f"of a {entry['kind']}")
        tells = f" tells the back office {about}:"
    return Entry(entry["at"], "supplier", level, head, f"{tells} {_came(entry)}.", entry)


def _came(entry: Mapping[str, Any]) -> str:
    """Say what became of a message."""
    receiver, attempts = _RECEIVERS[entry["what"]], entry["attempts"]
    last = said(attempts[-1]) if attempts else "no answer"
    times = "1 attempt" if len(attempts) == 1 else f"{len(attempts)} attempts"
    waits = f"waits to be sent again after {times} ({last})"
    words = {
        "queued": waits if attempts else "waits to be sent",
        "skipped": "not sent, an operator took it out",
        "expired": f"{receiver} did not take it in time ({last}); it is a dead letter",
        "refused": f"{receiver} refused it ({last}); it is a dead letter",
    }
    return words.get(entry["state"]) or _taken(attempts)


def _taken(attempts: Sequence[Mapping[str, Any]]) -> str:
    if not attempts:
        return "taken"
    told = [said(attempts[-1])] if said(attempts[-1]) != "taken" else []
    told.append(f"{attempts[-1]['ms']} ms")
    told += [f"at attempt {len(attempts)}"] if len(attempts) > 1 else []
    return f"taken ({', '.join(told)})"


def said(attempt: Mapping[str, Any]) -> str:
    """Return what the receiver said to an attempt."""
    return str(attempt["detail"] or attempt["status"] or attempt["outcome"])
