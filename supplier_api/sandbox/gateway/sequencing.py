"""In which order KCIs take effect, whatever the order of their arrival. Pure: no clock inside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Arrival:
    """A KCI that is kept and has no effect yet."""

    number: int
    arrived: datetime


@dataclass(frozen=True, slots=True)
class ArrivalStep:
    """A KCI whose turn it is.

    `late`: later numbers had their effect before it. `missing`: the numbers given up for it.
    """

    number: int
    late: bool = False
    missing: range = range(0)


def steps(
    expected: int, kept: Sequence[Arrival], now: datetime, patience: timedelta
) -> tuple[ArrivalStep, ...]:
    """Return the KCIs whose turn it is, in order, when `expected` is the next number.

    A missing number is given up once a KCI that comes after it has been kept for `patience`.
    """
    waiting = sorted(kept, key=lambda kci: kci.number)
    due: list[ArrivalStep] = []
    for position, kci in enumerate(waiting):
        if kci.number < expected:
            due.append(ArrivalStep(kci.number, late=True))
            continue
        if kci.number > expected:
            waited_since = min(later.arrived for later in waiting[position:])
            if now - waited_since < patience:
                break
        due.append(ArrivalStep(kci.number, missing=range(expected, kci.number)))
        expected = kci.number + 1
    return tuple(due)
