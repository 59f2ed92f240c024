"""Prints a problem's updates as its tenant sees them arrive."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from supplier_api.clock import from_wire

FAILED = frozenset({"REJECTED", "FAILED_TO_SEND"})
ENDED = FAILED | {"CANCELLED", "COMPLETED"}


def news(look: Callable[[], Mapping[str, Any]], pause: Callable[[], object]) -> Iterator[str]:
    """Yield a line for each update and each new status, until nothing more comes by itself.

    That is when the problem has ended, or a resolution waits for the tenant. `look` returns the
    problem as GET shows it; `pause` is called between two looks. The last line tells how it stands.
    """
    shown = 0
    while True:
        problem = look()
        updates = problem["updates"]
        for update in updates[shown:]:
            yield line(update)
        shown = len(updates)
        if problem["status"] in ENDED:
            yield f"service problem {problem['id']} is {problem['status']}"
            return
        if problem["status"] == "RESOLVED" and pending_resolution(problem) is not None:
            yield f"service problem {problem['id']} is RESOLVED and waits for you: accept or reject"
            return
        pause()


def pending_resolution(problem: Mapping[str, Any]) -> int | None:
    """Return the gateway's id of the resolution that waits for the tenant, if there is one."""
    said = [
        update["serviceProblemResolution"]
        for update in problem["updates"]
        if "serviceProblemResolution" in update
    ]
    waits = bool(said) and said[-1]["status"] == "PENDING"
    return int(said[-1]["id"]) if waits else None


def line(update: Mapping[str, Any]) -> str:
    """Return an update on one line, its time that of this machine."""
    at = from_wire(update["receivedOn"]).astimezone().strftime("%H:%M:%S.%f")[:-3]
    number = f"KCI {update['sequenceNumber']}" if "sequenceNumber" in update else "gateway"
    said = update.get("information") or update.get("action") or update["error"]
    words = [said.get("type", ""), said.get("code", ""), said.get("text", "")]
    words += said.get("messages", [])
    words += [note["note"] for note in update.get("supplierNotes", [])]
    about = "  ".join(word for word in words if word)
    return f"{at}  {number:<8} {update['updateType']:<16} {about}"
