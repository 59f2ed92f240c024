"""A mapping: what a foreign ticket system's JSON means in the lifecycle's words.

It is read from `mapping.yaml` (mapping_file.py). An adapter gives it a webhook's body, or one
record that it has read, and gets a snapshot.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from supplier_api.backoffice.mapping_values import (
    BODY,
    LANGUAGE,
    MappingFailed,
    plain,
    read_flag,
    read_text,
    read_version,
)
from supplier_api.contract import RequestRefused, read_json
from supplier_api.contract.codes import ProblemCode, ResolutionCode
from supplier_api.contract.limits import STRING_MAX, TEXT_MAX
from supplier_api.problems.model import Awaits
from supplier_api.problems.snapshot import (
    ChangeDecision,
    Snapshot,
    TicketState,
    Wanted,
)
from supplier_api.rules.cel import JsonExpression

# In a map of codes: the key for all other values.
DEFAULT = "default"

Code = TypeVar("Code", ProblemCode, ResolutionCode)


@dataclass(frozen=True, slots=True)
class CodeOfField(Generic[Code]):
    """A code that follows from a field of the ticket, by a map of foreign values to codes."""

    field: str
    map: str
    codes: Mapping[str, Code]

    def find(self, value: str) -> Code:
        """Return the code of a value; raises MappingFailed."""
        code = self.codes.get(value, self.codes.get(DEFAULT))
        if code is None:
            missing = "has a value that is not in the map" if value else "is empty"
            raise MappingFailed(self.map, f"the field {self.field} {missing}")
        return code


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusMeaning:
    """What a status of the ticket system means. `text` names a field.

    For a problem: a state, with what its KCIs carry; `resolution_code` and `resolution_text` (a
    field) are of RESOLVED and COMPLETED. For a change, with `state` None: that it is accepted, or
    refused.
    """

    state: TicketState | None = None
    accept: bool = False
    awaits: Awaits = Awaits.INFORMATION
    problem_code: ProblemCode | CodeOfField[ProblemCode] | None = None
    text: str | None = None
    resolution_code: ResolutionCode | CodeOfField[ResolutionCode] | None = None
    resolution_text: str | None = None


@dataclass(frozen=True, slots=True)
class Outbound:
    """What an adapter writes back: a status for a state, a priority for a type of problem."""

    states: Mapping[str, str]
    priorities: Mapping[str, str]

    def status(self, state: str) -> str | None:
        """Return the status that a ticket gets for a problem's state; None if it is left alone."""
        return self.states.get(state)

    def priority(self, problem_type: str) -> str | None:
        """Return the priority of a new ticket; None for the ticket system's own choice."""
        return self.priorities.get(problem_type, self.priorities.get(DEFAULT))


@dataclass(frozen=True, slots=True)
class TicketMapping:
    """A loaded mapping. `expressions` are those by key of the file, `fields` those by field.

    `new` are the statuses that a ticket has when an order of ours has made it; may be empty.
    """

    expressions: Mapping[str, JsonExpression]
    fields: Mapping[str, JsonExpression]
    states: Mapping[str, StatusMeaning]
    changes: Mapping[str, StatusMeaning]
    outbound: Outbound
    samples: Mapping[str, object]
    new: frozenset[str]

    def is_new(self, found: Snapshot) -> bool:
        """Return whether a ticket stands as an order made it, and says nothing by that.

        Where `new` is empty, those do that mean no more than ACKNOWLEDGED.
        """
        if self.new:
            return found.status in self.new
        return found.wanted is None or found.wanted.state is TicketState.ACKNOWLEDGED

    def parse(self, body: bytes) -> list[Snapshot]:
        """Return the snapshot in a webhook's body; none if the mapping's `when` is false.

        Raises MappingFailed, which is a ValueError, as `snapshot` does and for a body that is no
        JSON.
        """
        try:
            document = read_json(body)
        except RequestRefused as error:
            # They name the body themselves.
            why = "; ".join(message.removeprefix(f"{BODY}: ") for message in error.messages)
            raise MappingFailed(BODY, why) from None
        found = self.snapshot(document)
        return [] if found is None else [found]

    def snapshot(self, document: object) -> Snapshot | None:
        """Return what a document says of its ticket; None if it concerns none of ours.

        Whatever cannot be mapped is the snapshot's `trouble`; raises MappingFailed only where even
        the ticket or its version is not known.
        """
        reader = DocumentReader(self, document)
        if not reader.wanted():
            return None
        found = Snapshot(reader.ticket(), reader.version(), status="")
        try:
            found = replace(found, status=reader.status())
            found = replace(
                found, reference=reader.optional("reference"), url=reader.optional("url")
            )
            return self._with_meaning(found, reader)
        except MappingFailed as error:
            return replace(found, trouble=str(error))

    def code_maps(self) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Yield the maps of codes that states and changes use, each once, by name."""
        seen: dict[str, Mapping[str, object]] = {}
        for meaning in (*self.states.values(), *self.changes.values()):
            for code in (meaning.problem_code, meaning.resolution_code):
                if isinstance(code, CodeOfField):
                    seen[code.map] = code.codes
        yield from seen.items()

    def _with_meaning(self, found: Snapshot, reader: "DocumentReader") -> Snapshot:
        state, change = self.states.get(found.status), self.changes.get(found.status)
        if state is None and change is None:
            raise MappingFailed("states", "the ticket's status is not in the mapping")
        return replace(
            found,
            wanted=None if state is None else reader.state(state),
            decision=None if change is None else reader.decision(change),
        )


class DocumentReader:
    """Reads the values of one document by a mapping's expressions. All raise MappingFailed."""

    def __init__(self, mapping: TicketMapping, document: object) -> None:
        """Bind the document."""
        self._mapping = mapping
        self._bound = LANGUAGE.bind(plain(document))

    def wanted(self) -> bool:
        """Return whether the document concerns us."""
        when = self._mapping.expressions.get("when")
        return when is None or read_flag("when", when, self._bound)

    def ticket(self) -> str:
        """Return the ticket's number."""
        return self._named("ticket")

    def status(self) -> str:
        """Return the ticket system's own status."""
        return self._named("status")

    def version(self) -> int:
        """Return the ticket's version."""
        return read_version("snapshot_version", self._expression("snapshot_version"), self._bound)

    def optional(self, key: str) -> str | None:
        """Return a text that may be absent or empty."""
        expression = self._mapping.expressions.get(key)
        return (expression and read_text(key, expression, self._bound)) or None

    def state(self, meaning: StatusMeaning) -> Wanted:
        """Return the state that a status means, with what the ticket says about it."""
        assert meaning.state is not None
        return Wanted(
            meaning.state,
            problem_code=self._code(meaning.problem_code),
            text=self._field(meaning.text),
            awaits=meaning.awaits,
            resolution=self._resolution(meaning),
        )

    def decision(self, meaning: StatusMeaning) -> ChangeDecision:
        """Return what a status decides about a change."""
        return ChangeDecision(
            accept=meaning.accept,
            problem_code=self._code(meaning.problem_code),
            text=self._field(meaning.text),
        )

    def _resolution(self, meaning: StatusMeaning) -> dict[str, Any] | None:
        code = self._code(meaning.resolution_code)
        if code is None:
            return None
        text = self._field(meaning.resolution_text, STRING_MAX)
        return {"resolutionCode": str(code)} | ({"resolutionText": text} if text else {})

    def _code(self, code: Code | CodeOfField[Code] | None) -> Code | None:
        if isinstance(code, CodeOfField):
            return code.find(self._field(code.field) or "")
        return code

    def _field(self, name: str | None, longest: int = TEXT_MAX) -> str | None:
        """Return a field's text, cut to what the contract allows; None when it is empty."""
        if name is None:
            return None
        text = read_text(f"fields.{name}", self._mapping.fields[name], self._bound)
        return (text if len(text) <= longest else f"{text[: longest - 1]}…") or None

    def _named(self, key: str) -> str:
        text = read_text(key, self._expression(key), self._bound)
        if not text:
            raise MappingFailed(key, "is empty")
        return text

    def _expression(self, key: str) -> JsonExpression:
        return self._mapping.expressions[key]
