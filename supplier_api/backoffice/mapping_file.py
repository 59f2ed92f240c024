"""Reads and checks `mapping.yaml`.

All errors are reported at once, with file, line and column, as those of the rule book. Names of the
foreign JSON are checked against the samples (mapping_samples.py).
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from yaml.nodes import Node, ScalarNode

from supplier_api.backoffice.mapping import (
    DEFAULT,
    CodeOfField,
    Outbound,
    StatusMeaning,
    TicketMapping,
)
from supplier_api.backoffice.mapping_samples import Samples
from supplier_api.backoffice.mapping_values import LANGUAGE, READERS
from supplier_api.contract.codes import ProblemCode, ProblemType, ResolutionCode
from supplier_api.problems.model import Awaits
from supplier_api.problems.snapshot import TicketState
from supplier_api.rules.cel import ExpressionError, JsonExpression
from supplier_api.rules.model import BookError, BookFinding, meant
from supplier_api.rules.yaml_source import YamlSource
from supplier_api.settings import Settings

FILE = "mapping.yaml"
FORMAT = 1
REQUIRED_KEYS = ("version", "samples", "ticket", "status", "snapshot_version", "states")
OPTIONAL_KEYS = (
    "when",
    "reference",
    "url",
    "fields",
    "new",
    "changes",
    "causes",
    "obstacles",
    "outbound",
)
STATE_KEYS = ("state", "awaits", "problemCode", "text", "resolutionCode", "resolutionText")
CHANGE_KEYS = ("to", "problemCode", "text")
RESOLVING = frozenset({TicketState.RESOLVED, TicketState.COMPLETED})
FINAL = frozenset({TicketState.COMPLETED, TicketState.CANCELLED, TicketState.REJECTED})

Code = TypeVar("Code", ProblemCode, ResolutionCode)
Maps = Mapping[type[StrEnum], tuple[str, Mapping[str, Any]]]
Compiled = dict[str, tuple[Node, JsonExpression]]


class ChangeVerdict(StrEnum):
    """What a change's status may mean."""

    ACCEPT = "accept"
    REJECT = "reject"


def configured_mapping(settings: Settings) -> Path | None:
    """Return the mapping that the adapter is given, or else the one in a configuration folder."""
    options = settings.backoffice.options
    if named := getattr(options, "mapping", None) or getattr(options, "mapping_file", None):
        return Path(named)
    return next(
        (folder / FILE for folder in settings.config_dirs if (folder / FILE).is_file()), None
    )


def load_mapping(path: Path) -> TicketMapping:
    """Read and check the mapping at `path`, with the samples that it names; raises BookError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise BookError([BookFinding(str(path), 1, 1, f"cannot be read: {error}")]) from None
    source = YamlSource(str(path), text)
    allowed = REQUIRED_KEYS + OPTIONAL_KEYS
    nodes = source.entries(source.compose(), "mapping", allowed, REQUIRED_KEYS)
    mapping = _MappingFile(source, path.parent, nodes).read()
    if source.findings:
        raise BookError(source.findings)
    return mapping


class _MappingFile:
    """The file that is being read; errors are collected in its source."""

    def __init__(self, source: YamlSource, folder: Path, nodes: Mapping[str, Node]) -> None:
        self._source = source
        self._nodes = nodes
        self._samples = Samples(source, folder)
        # The names that other keys may use: fields, and by kind of code its map and the map's name.
        self._fields: Mapping[str, Node] = {}
        self._maps: Maps = {}

    def read(self) -> TicketMapping:
        """Return the mapping; usable only if the source has no findings."""
        nodes = self._nodes
        if "version" in nodes:
            self._check_version(nodes["version"])
        if "samples" in nodes:
            self._samples.read(nodes["samples"])
        self._fields = self._entries("fields")
        self._maps = {
            ResolutionCode: ("causes", self._codes("causes", ResolutionCode)),
            ProblemCode: ("obstacles", self._codes("obstacles", ProblemCode)),
        }
        expressions = self._compile({key: nodes[key] for key in READERS if key in nodes}, "")
        fields = self._compile(self._fields, "fields.")
        if "when" in expressions or "when" not in nodes:
            self._samples.evaluate(expressions, fields)
        states = {name: self._state(name, node) for name, node in self._entries("states").items()}
        changes = {
            name: self._change(name, node) for name, node in self._entries("changes").items()
        }
        return TicketMapping(
            expressions={key: expression for key, (_, expression) in expressions.items()},
            fields={key: expression for key, (_, expression) in fields.items()},
            states=states,
            changes=changes,
            outbound=self._outbound(states),
            samples=self._samples.documents,
            new=self._new(states),
        )

    def _check_version(self, node: Node) -> None:
        if self._source.whole_of(node, "version") not in (None, FORMAT):
            hint = f"this release reads {FORMAT}"
            self._source.report(node, "version: unknown format", hint)

    def _entries(self, key: str, allowed: Collection[str] | None = None) -> dict[str, Node]:
        """Return the values under a key of the file; none if the key is not there."""
        if key not in self._nodes:
            return {}
        return self._source.entries(self._nodes[key], key, allowed)

    def _codes(self, key: str, words: type[Code]) -> dict[str, Code]:
        """Return a map of foreign values to codes."""
        codes = {
            value: self._source.word_of(node, f"{key}.{value}", words)
            for value, node in self._entries(key).items()
        }
        return {value: code for value, code in codes.items() if code is not None}

    def _compile(self, nodes: Mapping[str, Node], prefix: str) -> Compiled:
        """Return the expressions that compile and name nothing that no sample has."""
        found: dict[str, tuple[Node, JsonExpression]] = {}
        for key, node in nodes.items():
            what = prefix + key
            text = self._source.text_of(node, what)
            if text is None:
                continue
            try:
                expression = LANGUAGE.compile(text)
            except ExpressionError as error:
                for fault in error.faults:
                    self._source.report(node, f"{what}: {fault.text}", fault.hint, fault.offset)
                continue
            if self._samples.have_names(what, node, expression):
                found[key] = node, expression
        return found

    def _state(self, status: str, node: Node) -> StatusMeaning:
        what = f"states.{status}"
        if isinstance(node, ScalarNode):
            return StatusMeaning(state=self._source.word_of(node, what, TicketState))
        nodes = self._source.entries(node, what, STATE_KEYS, ("state",))
        state = self._word(nodes, "state", what, TicketState)
        for key, states in (
            ("awaits", {TicketState.PENDING}),
            ("resolutionCode", RESOLVING),
            ("resolutionText", RESOLVING),
        ):
            if key in nodes and state is not None and state not in states:
                allowed = " and ".join(sorted(states, reverse=True))
                self._source.report(nodes[key], f"{what}: {key} is for {allowed} only")
        return StatusMeaning(
            state=state,
            awaits=self._word(nodes, "awaits", what, Awaits) or Awaits.INFORMATION,
            problem_code=self._code(nodes, "problemCode", what, ProblemCode),
            text=self._field(nodes, "text", what),
            resolution_code=self._code(nodes, "resolutionCode", what, ResolutionCode),
            resolution_text=self._field(nodes, "resolutionText", what),
        )

    def _change(self, status: str, node: Node) -> StatusMeaning:
        what = f"changes.{status}"
        if isinstance(node, ScalarNode):
            return StatusMeaning(
                accept=self._source.word_of(node, what, ChangeVerdict) is ChangeVerdict.ACCEPT
            )
        nodes = self._source.entries(node, what, CHANGE_KEYS, ("to",))
        return StatusMeaning(
            accept=self._word(nodes, "to", what, ChangeVerdict) is ChangeVerdict.ACCEPT,
            problem_code=self._code(nodes, "problemCode", what, ProblemCode),
            text=self._field(nodes, "text", what),
        )

    def _word(self, nodes: Mapping[str, Node], key: str, what: str, words: type[Any]) -> Any:
        node = nodes.get(key)
        return None if node is None else self._source.word_of(node, f"{what}.{key}", words)

    def _code(
        self, nodes: Mapping[str, Node], key: str, what: str, words: type[Code]
    ) -> Code | CodeOfField[Code] | None:
        """Return a code, or where the ticket says it."""
        node = nodes.get(key)
        if node is None or isinstance(node, ScalarNode):
            found: Code | None = self._word(nodes, key, what, words)
            return found
        what = f"{what}.{key}"
        inner = self._source.entries(node, what, ("from", "map"), ("from", "map"))
        field = self._field(inner, "from", what)
        name, codes = self._maps[words]
        if "map" in inner:
            given = self._source.text_of(inner["map"], f"{what}.map")
            if given not in (None, name):
                self._source.report(
                    inner["map"], f"{what}: {given} has no codes for {key}", f"write {name}"
                )
            elif name not in self._nodes:
                self._source.report(inner["map"], f"{what}: {name} is missing")
        return None if field is None else CodeOfField(field, name, codes)

    def _field(self, nodes: Mapping[str, Node], key: str, what: str) -> str | None:
        """Return the name of a field that is there."""
        if key not in nodes:
            return None
        name = self._source.text_of(nodes[key], f"{what}.{key}")
        if name is not None and name not in self._fields:
            hint = meant(name, self._fields) if self._fields else "fields is missing"
            self._source.report(nodes[key], f"{what}.{key}: there is no field {name}", hint)
            return None
        return name

    def _new(self, states: Mapping[str, StatusMeaning]) -> frozenset[str]:
        """Return the statuses of new tickets, each of them one of `states`."""
        if "new" not in self._nodes:
            return frozenset()

        def read(node: Node) -> str | None:
            status = self._foreign(node, "new")
            if status is None or status in states:
                return status
            self._source.report(node, f"new: states has no {status}", meant(status, states))
            return None

        return frozenset(self._source.each(self._nodes["new"], "new", read))

    def _outbound(self, states: Mapping[str, StatusMeaning]) -> Outbound:
        nodes = self._entries("outbound", ("states", "priority"))
        written = self._words(nodes, "states", tuple(TicketState))
        for state, (node, status) in written.items():
            self._check_status(f"outbound.states.{state}", node, TicketState(state), status, states)
        priorities = self._words(nodes, "priority", (DEFAULT, *ProblemType))
        return Outbound(
            states={state: status for state, (_, status) in written.items()},
            priorities={kind: priority for kind, (_, priority) in priorities.items()},
        )

    def _words(
        self, nodes: Mapping[str, Node], key: str, allowed: Collection[str]
    ) -> dict[str, tuple[Node, str]]:
        """Return words of the ticket system."""
        if key not in nodes:
            return {}
        found = {}
        for name, node in self._source.entries(nodes[key], f"outbound.{key}", allowed).items():
            word = self._foreign(node, f"outbound.{key}.{name}")
            if word is not None:
                found[name] = node, word
        return found

    def _foreign(self, node: Node, what: str) -> str | None:
        """Return a word of the ticket system; a number need not be quoted."""
        if isinstance(node, ScalarNode) and node.value.isdigit():
            return str(node.value)
        return self._source.text_of(node, what)

    def _check_status(
        self,
        what: str,
        node: Node,
        state: TicketState,
        status: str,
        states: Mapping[str, StatusMeaning],
    ) -> None:
        """Report a status that is not known, or would come back as another state.

        A problem that is over may have any ticket that is over.
        """
        meaning = states.get(status)
        over = state in FINAL and meaning is not None and meaning.state in FINAL | RESOLVING
        if meaning is None:
            self._source.report(node, f"{what}: states has no {status}", meant(status, states))
        elif meaning.state not in (None, state) and not over:
            self._source.report(node, f"{what}: {status} means {meaning.state} in states")
