"""CEL, and all code that depends on it: compiling, evaluating, errors, paths that are read.

The language: https://cel.dev. Its compiler finds a wrong name or type only because the facts are
protobuf messages; over JSON of unknown shape, `JsonExpression.reads` says which names to check. An
evaluation cannot run away: the library stops it after 10,000 steps of loops, which take some 7 ms,
patterns match in linear time, and there is no recursion.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from cel_expr_python import cel
from cel_expr_python.ext.ext_strings import ExtStrings

from supplier_api.rules.fact_kinds import PACKAGE, FactKind, FactMessages, Shape
from supplier_api.rules.facts import Path, resolve
from supplier_api.rules.model import RuleNotEvaluated, meant

MAX_EXPRESSION = 2_000
Activation: TypeAlias = cel.Activation  # facts, or a document, bound for expressions


@dataclass(frozen=True, slots=True)
class CelFault:
    """One error in an expression: its offset in characters, and the text."""

    offset: int
    text: str
    hint: str = ""


class ExpressionError(Exception):
    """An expression cannot be used. `faults` holds all its errors."""

    def __init__(self, *faults: CelFault) -> None:
        """Keep the faults."""
        self.faults = faults
        super().__init__("; ".join(fault.text for fault in faults))


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression: the groups it names, the paths it reads.

    `constant` is its value if it names no group, else None.
    """

    groups: frozenset[str]
    reads: tuple[Path, ...]
    constant: bool | None
    program: cel.Expression

    def holds(self, activation: Activation | None) -> bool:
        """Evaluate; raises RuleNotEvaluated when an error decides it or the budget is spent.

        An error on one side of `||` or `&&` counts only if the other side leaves the result open:
        that is CEL's rule, so errors in constants are searched for at load already.
        """
        try:
            result = self.program.eval(activation).value()
        except RuntimeError as error:
            raise RuleNotEvaluated(_without_values(error)) from None
        if isinstance(result, bool):
            return result
        raise RuleNotEvaluated(_without_values(result))


@dataclass(frozen=True, slots=True)
class JsonName:
    """A name that an expression reads from the document: where it stands, and the path to it.

    A path holds keys of objects, and None for a member of a list.
    """

    offset: int
    path: tuple[str | None, ...]


class ExpressionFailed(Exception):
    """An expression has no value for this document; the text says why, without any value of it.

    `offset` is where the expression names what is missing, if that is the reason.
    """

    def __init__(self, why: str, offset: int | None = None) -> None:
        """Keep the offset."""
        self.offset = offset
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class JsonExpression:
    """A compiled expression over one JSON document; `reads` are the names it reads, in order."""

    reads: tuple[JsonName, ...]
    program: cel.Expression

    def value(self, activation: Activation) -> object:
        """Return the value: None, a Python scalar, or an object of the library.

        Raises ExpressionFailed; a missing key is named only if the expression itself names it.
        """
        try:
            result = self.program.eval(activation)
        except RuntimeError as error:
            raise ExpressionFailed(_without_values(error)) from None
        if result.type() != cel.Type.ERROR:
            return result.value()
        missing = _MISSING_KEY.search(str(result.value()))
        for name in self.reads if missing else ():
            if missing and name.path[-1] == missing[1]:
                raise ExpressionFailed(f"there is no {missing[1]}", name.offset)
        why = _without_values(result.value())
        raise ExpressionFailed(_IN_OTHER_WORDS.get(why, why))


class _Compiler:
    """Compiles expressions, and says what is wrong with them.

    `names` are the variables, `shapes` the fields of each message type that they have.
    """

    def __init__(
        self, environment: cel.Env, names: Collection[str], shapes: Mapping[str, Shape]
    ) -> None:
        """Compile for an environment."""
        self._everything = environment
        self._variables = names
        self._shapes = shapes

    def _program(self, text: str) -> cel.Expression:
        """Return the compiled expression; raises ExpressionError with all its errors."""
        if len(text) > MAX_EXPRESSION:
            raise ExpressionError(CelFault(0, f"longer than {MAX_EXPRESSION} characters"))
        try:
            program = self._everything.compile(text)
        except RuntimeError as error:
            raise ExpressionError(*self._faults(text, str(error))) from None
        if faults := tuple(self._beyond_the_compiler(text)):
            raise ExpressionError(*faults)
        return program

    def _faults(self, text: str, report: str) -> list[CelFault]:
        """Parse the library's report, without errors that follow from other errors."""
        found = [
            self._fault(text, _offset(text, int(line), int(column)), message)
            for line, column, message in _REPORTED.findall(report)
            if "*error*" not in message
        ]
        return found or [CelFault(0, report.partition("\n")[0])]

    def _fault(self, text: str, offset: int, message: str) -> CelFault:
        if match := _UNDEFINED_FIELD.match(message):
            field, struct = match.groups()
            start = max(text.find(field, offset), offset)
            return CelFault(start, f"unknown field {field}", meant(field, self._shapes[struct]))
        if match := _UNDECLARED.match(message):
            name = match[1]
            if text[offset : offset + 1] == "(":
                return CelFault(max(text.rfind(name, 0, offset), 0), f"unknown function {name}()")
            start = max(text.rfind(name, 0, offset + len(name) + 1), 0)
            first = name.partition(".")[0]
            return CelFault(start, f"unknown name {first}", meant(first, self._variables))
        if match := _NO_OVERLOAD.match(message):
            operator = match[1].strip("_").replace("_", " ")
            return CelFault(offset, f"'{operator}' cannot be applied to {match[2]}")
        return CelFault(offset, message.replace(f"{PACKAGE}.", ""))

    def _beyond_the_compiler(self, text: str) -> Iterator[CelFault]:
        """Yield faults that the compiler accepts and an evaluation would hide or fail on."""
        for token in _TOKENS.finditer(text):
            if token["path"] == "dyn":
                yield CelFault(token.start(), "dyn() switches the check of names and types off")
            call = token["string"] and _CALL_WITH_CONSTANT.search(text, 0, token.start())
            if call:
                yield from self._constant_fault(call["name"], token)

    def _constant_fault(self, call: str, token: re.Match[str]) -> Iterator[CelFault]:
        constant = token["string"]
        probe = f"''.matches({constant})" if call == "matches" else f"{call}({constant}) != null"
        result = self._everything.compile(probe).eval().value()
        if not isinstance(result, bool):
            yield CelFault(token.start(), f"{call}({constant}): {_error_text(result)}")


class Language(_Compiler):
    """The expression language of the rules about one operation."""

    def __init__(self, groups: Shape) -> None:
        """Prepare to compile expressions over these groups of facts."""
        self._groups = groups
        self._messages = FactMessages(groups)
        types = {group: self._type(group) for group in groups}
        super().__init__(self._environment(types), groups, self._messages.shapes)
        # The library does not report which groups an expression names: one that does not compile
        # without a group names it.
        self._without = {
            group: self._environment({name: kind for name, kind in types.items() if name != group})
            for group in groups
        }

    def compile(self, text: str) -> Expression:
        """Return the checked expression; raises ExpressionError with all its errors."""
        program = self._program(text)
        if program.return_type() != cel.Type.BOOL:
            kind = str(program.return_type()).lower()
            raise ExpressionError(CelFault(0, f"gives {kind}, where true or false is needed"))
        groups = frozenset(group for group in self._groups if self._names(text, group))
        expression = Expression(groups, self._reads(text), None, program)
        return expression if groups else replace(expression, constant=_constant(expression))

    def bind(self, values: Mapping[str, Any]) -> Activation:
        """Bind the groups of one decision that are known, for any number of expressions."""
        types = self._messages.classes
        return self._everything.Activation(
            {
                group: types[group](**value) if group in types else value
                for group, value in values.items()
            }
        )

    def _type(self, group: str) -> cel.Type:
        if group in self._messages.types:
            return cel.Type(self._messages.types[group])
        fact = self._groups[group]
        assert isinstance(fact, FactKind), "a list of members needs a group around it"
        kind = cel.Type(fact.value.cel)
        if fact.value.container is dict:
            return cel.Type.Map(cel.Type.STRING, kind)
        return cel.Type.List(kind) if fact.value.container else kind

    def _environment(self, types: Mapping[str, cel.Type]) -> cel.Env:
        return cel.NewEnv(self._messages.pool, variables=types)

    def _names(self, text: str, group: str) -> bool:
        if group not in text:
            return False
        try:
            self._without[group].compile(text)
        except RuntimeError:
            return True
        return False

    def _reads(self, text: str) -> tuple[Path, ...]:
        tokens = [token for token in _TOKENS.finditer(text) if token.lastgroup]
        found: dict[Path, None] = {}
        for number, token in enumerate(tokens):
            known = token["path"] and resolve(self._groups, re.split(r"\s*\.\s*", token["path"]))
            if known:
                path, fact = known
                key = _key(text, tokens, number) if fact is FactKind.TEXT_BY_NAME else ()
                found[path + key] = None
        return tuple(found)


class JsonLanguage(_Compiler):
    """The expression language over JSON documents of unknown shape, with functions for texts."""

    def __init__(self, name: str) -> None:
        """Prepare to compile expressions over a document of this name."""
        variables = {name: cel.Type.DYN}
        super().__init__(cel.NewEnv(variables=variables, extensions=[ExtStrings()]), [name], {})
        self._name = name

    def compile(self, text: str) -> JsonExpression:
        """Return the compiled expression; raises ExpressionError with all its errors."""
        program = self._program(text)
        return JsonExpression(tuple(_names_in(text, self._name)), program)

    def bind(self, document: object) -> Activation:
        """Bind a document of JSON's types, whole numbers within 64 bits."""
        return self._everything.Activation({self._name: document})


_REPORTED = re.compile(r"^(?:INVALID_ARGUMENT: )?ERROR: <input>:(\d+):(\d+): (.*)", re.MULTILINE)
_UNDEFINED_FIELD = re.compile(r"undefined field '(.*)' not found in struct '(.*)'")
_UNDECLARED = re.compile(r"undeclared reference to '(.*?)'")
_NO_OVERLOAD = re.compile(r"found no matching overload for '(.*?)' applied to '(.*)'")

# What the library says of JSON that is not as an expression takes it to be.
_IN_OTHER_WORDS = {
    "Applying SELECT to non-message type": "a name is read from what is no object",
    "Key not found in map": "a key is looked up that is not there",
    "No matching overloads found": "an operator or a function does not take such a value",
}
_QUOTED = re.compile(r'"[^"]*"')
_MISSING_KEY = re.compile(r'Key not found in map : "(.*)"')

# What may follow a name: `.key`, `["key"]` and `[0]`; a name before a bracket is a function's.
_NEXT_NAME = re.compile(
    r"""
      \s* (?: \. \s* (?P<key> [A-Za-z_]\w* \b ) (?! \s*\( )
        | \[ \s* (?: (?P<member> \d+ ) | (?P<quote> ["'] ) (?P<text> [^"'\\\n]* ) (?P=quote) )
          \s* \] )
    """,
    re.VERBOSE,
)
_CALL_WITH_CONSTANT = re.compile(r"\b(?P<name>matches|timestamp|duration)\s*\((?:[^()'\"]*,)?\s*$")

# A text of the language, in a verbose pattern.
STRING = r"""
    [bBrR]{0,2}
    (?: '{3}(?:\\.|[^\\])*?'{3} | "{3}(?:\\.|[^\\])*?"{3}
      | '(?:\\.|[^'\\\n])*' | "(?:\\.|[^"\\\n])*" )
    """
# Strings and comments first, so that nothing inside them is read as a name.
_TOKENS = re.compile(
    r"""
      //[^\n]*
    | (?P<string> """
    + STRING
    + r""" )
    | (?<![\w.]) (?: \.\s* )? (?P<path> [A-Za-z_]\w* (?: \s*\.\s* [A-Za-z_]\w* )* )
    """,
    re.VERBOSE | re.DOTALL,
)


def _constant(expression: Expression) -> bool:
    try:
        return expression.holds(None)
    except RuleNotEvaluated as error:
        raise ExpressionError(CelFault(0, f"can never be evaluated: {error}")) from None


def _key(text: str, tokens: list[re.Match[str]], number: int) -> Path:
    """Return the key looked up in a TEXT_BY_NAME: `"NAME" in path`, or `path["NAME"]`."""
    if number > 1 and tokens[number - 1]["path"] == "in" and tokens[number - 2]["string"]:
        return (tokens[number - 2]["string"].strip("'\""),)
    if number + 1 < len(tokens) and tokens[number + 1]["string"]:
        between = text[tokens[number].end() : tokens[number + 1].start()]
        if between.strip() == "[":
            return (tokens[number + 1]["string"].strip("'\""),)
    return ()


def _names_in(text: str, root: str) -> Iterator[JsonName]:
    """Yield the names that an expression reads from the document `root`, first those outside."""
    for token in _TOKENS.finditer(text):
        if not token["path"] or re.split(r"\s*\.", token["path"])[0] != root:
            continue
        path: tuple[str | None, ...] = ()
        end = token.start() + len(root)
        while found := _NEXT_NAME.match(text, end):
            end = found.end()
            kind = next(each for each in ("key", "text", "member") if found[each] is not None)
            path += (None if kind == "member" else found[kind],)
            yield JsonName(found.start(kind), path)


def _offset(text: str, line: int, column: int) -> int:
    """Convert the library's line and column (in code points, from 1) to an offset."""
    before = text.split("\n")[: line - 1]
    return sum(len(each) + 1 for each in before) + column - 1


def _error_text(error: object) -> str:
    """Return the library's error without its code; it may quote values behind a colon."""
    text = str(error).partition(" [")[0]
    return text.partition(": ")[2] or text


def _without_values(error: object) -> str:
    return _QUOTED.sub('"..."', _error_text(error).partition(":")[0].strip())
