"""A strict YAML reader that gives every error its line and column.

The standard loader keeps the last of two equal keys and turns `no` into false; here a duplicate is
an error, and the key decides the type of its value.
"""

import re
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

import yaml
from yaml.composer import ComposerError
from yaml.events import AliasEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from supplier_api.clock import from_wire
from supplier_api.rules.model import BookError, BookFinding, meant

T = TypeVar("T")
Word = TypeVar("Word", bound=StrEnum)

_TEXT = "tag:yaml.org,2002:str"
_BOOLEAN = "tag:yaml.org,2002:bool"
_WHOLE = "tag:yaml.org,2002:int"
_NULL = "tag:yaml.org,2002:null"
_DIGITS = re.compile(r"-?[0-9]+")

# Not allowed in messages, expressions and names: control characters and lone surrogates.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class _Loader(yaml.SafeLoader):
    """The safe loader without aliases: a node could have two positions, or contain itself."""

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """Return the next node; raises ComposerError at an alias."""
        if self.check_event(AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise ComposerError(None, None, "an alias (*name) is not allowed here", mark)
        return super().compose_node(parent, index)


class YamlSource:
    """A YAML file that is being read. All errors are collected in `findings`.

    The methods that read a node report an error in it and return None.
    """

    def __init__(self, file: str, text: str) -> None:
        """Read `text`, the content of the file named `file`."""
        self.file = file
        self.text = text
        self.findings: list[BookFinding] = []

    def compose(self) -> Node:
        """Return the root of the document; raises BookError when the text is no YAML."""
        try:
            root = yaml.compose(self.text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            what = f"not YAML: {error.problem or error.context}"
            raise BookError([BookFinding(self.file, line, column, what)]) from None
        except yaml.reader.ReaderError as error:
            before = self.text[: error.position]
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            what = "not YAML: a character that is not allowed"
            raise BookError([BookFinding(self.file, line, column, what)]) from None
        except RecursionError:
            what = "nested too deeply"
            raise BookError([BookFinding(self.file, 1, 1, what)]) from None
        if root is None:
            raise BookError([BookFinding(self.file, 1, 1, "the file is empty")])
        return root

    def finding(
        self, node: Node, text: str, hint: str = "", offset: int | None = None
    ) -> BookFinding:
        """Return a finding at `node`, or at a character of its text."""
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        if offset is not None and isinstance(node, ScalarNode):
            line, column = self._place(node, offset)
        return BookFinding(self.file, line, column, text, hint)

    def report(self, node: Node, text: str, hint: str = "", offset: int | None = None) -> None:
        """Collect a finding at `node`."""
        self.findings.append(self.finding(node, text, hint, offset))

    def entries(
        self, node: Node, what: str, allowed: Collection[str] | None, required: Iterable[str] = ()
    ) -> dict[str, Node]:
        """Return the values of a mapping by key. Any key may stand when `allowed` is None."""
        if not isinstance(node, MappingNode):
            self.report(node, f"{what}: keys with values are needed here")
            return {}
        found: dict[str, Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, ScalarNode) else ""
            if not name:
                self.report(key, f"{what}: a key is a word")
            elif name in found:
                self.report(key, f"duplicate key {name}")
            elif allowed is not None and name not in allowed:
                self.report(key, f"unknown key {name}", meant(name, allowed))
            else:
                found[name] = value
        for name in required:
            if name not in found:
                self.report(node, f"{what}: {name} is missing")
        return found

    def items(self, node: Node, what: str) -> list[Node]:
        """Return the members of a list."""
        if isinstance(node, SequenceNode):
            return list(node.value)
        self.report(node, f"{what}: a list is needed here")
        return []

    def text_of(self, node: Node, what: str) -> str | None:
        """Return a text. A value that YAML reads as another type must be quoted."""
        if not isinstance(node, ScalarNode) or node.tag != _TEXT:
            hint = f'write "{node.value}"' if isinstance(node, ScalarNode) and node.value else ""
            self.report(node, f"{what}: a text is needed here", hint)
        elif match := _UNPRINTABLE.search(node.value):
            self.report(node, f"{what}: holds a control character", offset=match.start())
        else:
            return str(node.value)
        return None

    def flag_of(self, node: Node, what: str) -> bool | None:
        """Return true or false."""
        if isinstance(node, ScalarNode) and node.tag == _BOOLEAN:
            return str(node.value).lower() in ("true", "yes", "on")
        self.report(node, f"{what}: true or false is needed here")
        return None

    def whole_of(self, node: Node, what: str) -> int | None:
        """Return a whole number, written in decimal digits."""
        if isinstance(node, ScalarNode) and node.tag == _WHOLE and _DIGITS.fullmatch(node.value):
            return int(node.value)
        self.report(node, f"{what}: a whole number is needed here")
        return None

    def instant_of(self, node: Node, what: str) -> datetime | None:
        """Return a date-time with its offset, as aware UTC."""
        try:
            return from_wire(node.value if isinstance(node, ScalarNode) else "")
        except ValueError:
            hint = "write 2026-01-05T12:00:00Z"
            self.report(node, f"{what}: a date-time with an offset is needed here", hint)
            return None

    def word_of(self, node: Node, what: str, words: type[Word]) -> Word | None:
        """Return the member of `words` with this value."""
        text = self.text_of(node, what)
        if text is None or text in frozenset(words):
            return None if text is None else words(text)
        self.report(node, f"{what}: unknown word {text}", meant(text, words))
        return None

    def each(self, node: Node, what: str, read: Callable[[Node], T | None]) -> list[T]:
        """Return the members of a list as read by `read`, without invalid ones."""
        members = (read(member) for member in self.items(node, what))
        return [member for member in members if member is not None]

    def is_null(self, node: Node) -> bool:
        """Return whether the value is null."""
        return isinstance(node, ScalarNode) and node.tag == _NULL

    def _place(self, node: ScalarNode, offset: int) -> tuple[int, int]:
        """Return line and column in the file of a character of a scalar's value.

        Quotes, indentation and folding are in the file and not in the value, so the value's visible
        characters are searched for one after the other.
        """
        position, end = node.start_mark.index, node.end_mark.index
        if node.style in ("|", ">"):
            position = self.text.index("\n", position) + 1
        elif node.style:
            position += 1
        for character in node.value[:offset]:
            if not character.isspace():
                position = self.text.find(character, position, end) + 1
                if not position:
                    return node.start_mark.line + 1, node.start_mark.column + 1
        if node.value[offset : offset + 1].strip():
            position = max(self.text.find(node.value[offset], position, end), position)
        before = self.text[:position]
        return before.count("\n") + 1, len(before) - before.rfind("\n")
