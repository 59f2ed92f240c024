"""Holds every status of a mapping against every state that a problem can be in. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from supplier_api.backoffice.mapping import DEFAULT, TicketMapping
from supplier_api.backoffice.mapping_values import MappingFailed
from supplier_api.backoffice.mapping_ways import (
    STATES,
    Way,
    ends_from,
    lacking,
    leads_to,
    moves_of,
    state_name,
    way_of,
)
from supplier_api.problems.lifecycle import Event, always_carried
from supplier_api.problems.model import Base, State
from supplier_api.problems.snapshot import ChangeDecision, Snapshot, TicketState, Wanted
from supplier_api.problems.ticket_ways import WayStep

REFUSAL: Way = (WayStep(Event.REJECT_CHANGE),)


@dataclass(frozen=True, slots=True)
class MappingReport:
    """What a check found.

    `ways` holds for each status the events from each of STATES: none where the state is the right
    one already, None where no way is legal and the ticket is put apart. `errors` put tickets apart
    that should not be, or leave problems where they are; `warnings` may be meant.
    """

    ways: Mapping[str, Sequence[Way | None]]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]


def check_mapping(mapping: TicketMapping) -> MappingReport:
    """Return the ways of every status, and what is wrong or doubtful in the mapping."""
    ways = {
        status: [way_of(state, meaning) for state in STATES]
        for status, meaning in mapping.states.items()
    }
    errors = [
        *_missing_codes(mapping),
        *_dead_ends(mapping),
        *_ambiguous_words(mapping),
        *_sample_errors(mapping),
    ]
    warnings = [*_not_reached(mapping), *_not_mapped(mapping), *_ways_back(mapping)]
    return MappingReport(ways, tuple(errors), tuple(warnings))


def _missing_codes(mapping: TicketMapping) -> Iterator[str]:
    for status, meaning in mapping.states.items():
        moved = [state for state in STATES if way_of(state, meaning)]
        found: dict[str, list[State]] = {}
        for state in moved:
            if missing := lacking(meaning, way_of(state, meaning) or ()):
                found.setdefault(" and ".join(missing), []).append(state)
        for keys, states in found.items():
            where = "" if states == moved else f" from {', '.join(map(state_name, states))}"
            yield f"states.{status}: {meaning.state} needs {keys}{where}"
    for status, meaning in mapping.changes.items():
        if not meaning.accept and (missing := lacking(meaning, REFUSAL)):
            yield f"changes.{status}: a refusal needs {' and '.join(missing)}"


def _dead_ends(mapping: TicketMapping) -> Iterator[str]:
    """Yield the statuses that nothing leads to, and the states that nothing leads out of."""
    moves = moves_of(mapping.states.values())
    for status, meaning in mapping.states.items():
        if not any(leads_to(meaning, state) for state in moves):
            yield f"states.{status}: a dead end, no problem gets there by this mapping"
    for state in moves:
        if not state.terminal and state.base is not Base.RESOLVED and not ends_from(state, moves):
            yield f"{state_name(state)}: a dead end, no status leads from there to RESOLVED"


def _ambiguous_words(mapping: TicketMapping) -> Iterator[str]:
    """Yield words of the ticket system that differ in case or white space only."""
    maps: dict[str, Mapping[str, object]] = {"states": mapping.states, "changes": mapping.changes}
    for name, words in (maps | dict(mapping.code_maps())).items():
        seen: dict[str, str] = {}
        for word, value in words.items():
            first = seen.setdefault(" ".join(word.casefold().split()), word)
            if words[first] != value:
                yield f"{name}: {first} and {word} are told apart by case or white space only"


def _sample_errors(mapping: TicketMapping) -> Iterator[str]:
    for name, document in mapping.samples.items():
        try:
            found = mapping.snapshot(document)
        except MappingFailed as error:
            yield f"{name}: {error}"
            continue
        if found is None:
            continue
        if found.trouble:
            yield f"{name}: {found.trouble}"
        elif missing := _without(mapping, found):
            yield f"{name}: the ticket gives no {' and no '.join(missing)} for {found.status}"


def _without(mapping: TicketMapping, found: Snapshot) -> list[str]:
    """Return what the KCI that follows from a snapshot would lack."""
    told: Wanted | ChangeDecision
    if found.wanted:
        # Every state can be reached from the first one.
        told, way = found.wanted, way_of(STATES[0], mapping.states[found.status])
    elif found.decision and not found.decision.accept:
        told, way = found.decision, REFUSAL
    else:
        return []
    needed = always_carried(way[-1].event) if way else frozenset()
    has = {"problemCode": told.problem_code, "text": told.text}
    return [key for key, value in has.items() if key in needed and not value]


def _not_reached(mapping: TicketMapping) -> Iterator[str]:
    meant = {meaning.state for meaning in mapping.states.values()}
    if unmeant := [state for state in TicketState if state not in meant]:
        yield f"states: no status means {', '.join(unmeant)}"
        if TicketState.ACKNOWLEDGED in unmeant and not mapping.new:
            yield "new: missing, so that a new ticket counts as work if its order comes again"
    decided = {meaning.accept for meaning in mapping.changes.values()}
    for accept, word in ((True, "accepts"), (False, "rejects")):
        if accept not in decided:
            yield f"changes: no status {word} an amendment or a cancellation"


def _not_mapped(mapping: TicketMapping) -> Iterator[str]:
    for name, codes in mapping.code_maps():
        if DEFAULT not in codes:
            yield f"{name}: no default, so that any other value puts the ticket apart"
    shown = {found.status for found in _snapshots(mapping)}
    if unshown := [
        status for status in {**mapping.states, **mapping.changes} if status not in shown
    ]:
        yield f"samples: none shows {', '.join(unshown)}"


def _snapshots(mapping: TicketMapping) -> Iterator[Snapshot]:
    for document in mapping.samples.values():
        try:
            found = mapping.snapshot(document)
        except MappingFailed:
            continue
        if found is not None:
            yield found


def _ways_back(mapping: TicketMapping) -> Iterator[str]:
    """Yield the states for which an adapter cannot know which status to write."""
    by_state: dict[TicketState, list[str]] = {}
    for status, meaning in mapping.states.items():
        assert meaning.state is not None
        by_state.setdefault(meaning.state, []).append(status)
    for state, statuses in by_state.items():
        if len(statuses) > 1 and mapping.outbound.states and not mapping.outbound.status(state):
            yield f"outbound.states: {state} may be any of {', '.join(statuses)}"
