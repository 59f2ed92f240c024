"""Checks a mapping's expressions against its samples of the foreign JSON.

CEL cannot know which names foreign JSON has, so the samples say: a name that no sample has is an
error, and so is an expression that has no value for one of them.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from yaml.nodes import Node

from supplier_api.backoffice.mapping_values import (
    LANGUAGE,
    READERS,
    MappingFailed,
    Reader,
    plain,
    read_text,
)
from supplier_api.contract import RequestRefused, read_json
from supplier_api.rules.cel import Activation, ExpressionFailed, JsonExpression, JsonName
from supplier_api.rules.model import meant
from supplier_api.rules.yaml_source import YamlSource

Compiled = Mapping[str, tuple[Node, JsonExpression]]


class Samples:
    """The samples that a mapping names, by file. Errors are reported to the mapping's source."""

    def __init__(self, source: YamlSource, folder: Path) -> None:
        """Read samples from `folder`, where the mapping stands."""
        self._source = source
        self._folder = folder
        self.documents: dict[str, object] = {}
        # What is wrong with an expression on many samples is reported for the first one.
        self._reported: set[str] = set()

    def read(self, node: Node) -> None:
        """Read the files of a list of patterns."""
        for each in self._source.items(node, "samples"):
            pattern = self._source.text_of(each, "samples")
            if pattern is not None:
                self._read_files(each, pattern)

    def have_names(self, key: str, node: Node, expression: JsonExpression) -> bool:
        """Return whether each name stands in a sample; report those that do not."""
        if not self.documents:
            return True
        wrong: set[tuple[str | None, ...]] = set()
        for name in expression.reads:
            parent = name.path[:-1]
            holders = _at(self.documents.values(), parent)
            if parent in wrong or not _at(holders, name.path[-1:]):
                if parent not in wrong and name.path not in wrong:
                    self._report_name(key, node, name, holders)
                wrong.add(name.path)
        return not wrong

    def evaluate(self, expressions: Compiled, fields: Compiled) -> None:
        """Evaluate the expressions on every sample that `when` selects."""
        for name, document in self.documents.items():
            bound = LANGUAGE.bind(plain(document))
            if "when" in expressions and not self._value(
                "when", READERS["when"], expressions["when"], bound, name
            ):
                continue
            for key, compiled in expressions.items():
                if key != "when":
                    self._value(key, READERS[key], compiled, bound, name)
            for field, compiled in fields.items():
                self._value(f"fields.{field}", read_text, compiled, bound, name)

    def _value(
        self,
        key: str,
        read: Reader,
        compiled: tuple[Node, JsonExpression],
        bound: Activation,
        sample: str,
    ) -> object:
        """Return the value, or None after a report."""
        node, expression = compiled
        try:
            return read(key, expression, bound)
        except MappingFailed as error:
            cause = error.__cause__
            offset = cause.offset if isinstance(cause, ExpressionFailed) else None
            if str(error) not in self._reported:
                self._reported.add(str(error))
                self._source.report(node, str(error), f"in {sample}", offset)
            return None

    def _read_files(self, node: Node, pattern: str) -> None:
        try:
            files = sorted(self._folder.glob(pattern))
        except (ValueError, NotImplementedError):  # an absolute path, or none at all
            files = []
        if not files:
            self._source.report(node, f"samples: no file is called {pattern}", f"in {self._folder}")
        for file in files:
            name = str(file.relative_to(self._folder))
            try:
                self.documents[name] = read_json(file.read_bytes())
            except OSError as error:
                self._source.report(node, f"samples: {name} cannot be read: {error}")
            except RequestRefused as error:
                self._source.report(node, f"samples: {name}: {'; '.join(error.messages)}")

    def _report_name(self, key: str, node: Node, name: JsonName, holders: list[object]) -> None:
        last = name.path[-1]
        if last is None:
            self._source.report(node, f"{key}: no sample has a list here", "", name.offset)
            return
        known = {each for holder in holders if isinstance(holder, dict) for each in holder}
        hint = meant(last, known) if known else "no sample has an object here"
        self._source.report(node, f"{key}: no sample has {last}", hint, name.offset)


def _at(documents: Iterable[object], path: tuple[str | None, ...]) -> list[object]:
    """Return what stands at `path` in the documents that have it."""
    found = list(documents)
    for name in path:
        if name is None:
            found = [member for each in found if isinstance(each, list) for member in each]
        else:
            found = [each[name] for each in found if isinstance(each, dict) and name in each]
    return found
