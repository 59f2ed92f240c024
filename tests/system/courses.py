"""What the problems of a chaos run go through, and the KCIs that each of them has to have.

A problem's kind stands in its conversation, which travels with every call about it: so whoever
stands on the way knows what is to be planted there.
"""

import random
from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True)
class Kind:
    """A course of problems; `scenario` makes it, `share` is how much of the run it is."""

    name: str
    share: float
    scenario: str
    course: tuple[str, ...]


def _kind(name: str, share: float, scenario: str, course: str, **parameters: object) -> Kind:
    return Kind(name, share, f"{scenario}?{urlencode(parameters)}", tuple(course.split()))


ALSO = "UPDATE,WARNING,ADDITIONAL"
PLAIN_COURSE = "COMMITTED UPDATE WARNING ADDITIONAL RESOLVED"
SUCCESSFUL = "SERVICE_PROBLEM_SUCCESSFUL"

PLAIN = _kind("plain", 0.45, SUCCESSFUL, PLAIN_COURSE, also=ALSO, delay=0.1)
HELD_UP = _kind(
    "held-up",
    0.15,
    "SERVICE_PROBLEM_DELAYED",
    "COMMITTED DELAY RESUMED DELAY RESUMED RESOLVED",
    steps=2,
    delay=0.05,
)
# The tenant amends as soon as the problem is acknowledged.
AMENDED = _kind("amended", 0.15, SUCCESSFUL, PLAIN_COURSE, also=ALSO, delay=0.3)
# The tenant cancels while the first KCI is in back-off.
CANCELLED = _kind(
    "cancelled",
    0.1,
    "SERVICE_PROBLEM_UNRESOLVED",
    "COMMITTED UPDATE UPDATE UPDATE UPDATE",
    steps=4,
    delay=0,
)
# The back office needs no time at all, and the gateway is slow to learn of our answer: what comes
# before, it keeps.
INSTANT = _kind("instant", 0.05, SUCCESSFUL, PLAIN_COURSE, also=ALSO, delay=0)
# Likewise, but until then the gateway does not know the problem.
UNKNOWN = _kind("unknown", 0.05, SUCCESSFUL, PLAIN_COURSE, also=ALSO, delay=0)
# Nobody knows any more that its last KCI is due.
FORGOTTEN = _kind("forgotten", 0.002, SUCCESSFUL, PLAIN_COURSE, also=ALSO, delay=0)
LEAST = 4  # problems of each kind
KINDS = {
    kind.name: kind for kind in (PLAIN, HELD_UP, AMENDED, CANCELLED, INSTANT, UNKNOWN, FORGOTTEN)
}


def plan(problems: int, id_source: random.Random) -> list[str]:
    """Return the conversations of a run: each kind has its share, and some at least."""
    kinds = [
        kind
        for kind in KINDS.values()
        if kind is not PLAIN
        for _ in range(max(LEAST, round(problems * kind.share)))
    ]
    kinds += [PLAIN] * (problems - len(kinds))
    id_source.shuffle(kinds)
    return [conversation(kind, number) for number, kind in enumerate(kinds, start=1)]


def conversation(kind: Kind, number: int) -> str:
    """Return the conversation about the run's problem of that number."""
    return f"{kind.name}.{number}"


def serial(name: str) -> int:
    """Return which of the run's problems a conversation is about."""
    return int(name.partition(".")[2])


def kind_of(name: str) -> Kind | None:
    """Return what kind of problem a conversation is about; None for another conversation."""
    return KINDS.get(name.partition(".")[0])
