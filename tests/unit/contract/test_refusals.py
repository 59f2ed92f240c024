"""The causes of error answers: each is raised, described and explained, and stands nowhere else."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from string import Formatter

import pytest
from flask import Flask

import supplier_api
from supplier_api.contract import refusals
from supplier_api.contract.errors import ErrorAnswer
from supplier_api.contract.refusals import Refusal
from supplier_api.http.backoffice.openapi import add_calls
from supplier_api.http.gateway.openapi import describe_calls

PACKAGE = Path(supplier_api.__file__).parent
METHODS = {"message", "error", "for_field"}
# A path such as `serviceProblemId`, `Content-Type` or `problems[{at}]`, or one that is put in.
BEGINS_WITH_PATH = re.compile(r"(\{path\}|\{name\}|[A-Za-z-]+(\[\{at\}\])?): ")
# They are about a request as a whole, or say what somebody else has written.
ABOUT_NO_FIELD = {"UNREADABLE", "EVENT_IMPOSSIBLE", "RULE"}
ABOUT_THE_BODY = {
    ErrorAnswer.TOO_LARGE,
    ErrorAnswer.MALFORMED,
    ErrorAnswer.INVALID,
    ErrorAnswer.UNKNOWN_SUBJECT,
    ErrorAnswer.CONFLICT,
    ErrorAnswer.PRECONDITION,
}
EACH = pytest.mark.parametrize("name", refusals.ALL)


@cache
def modules() -> Mapping[Path, ast.Module]:
    """Return the syntax trees of the package, without the causes themselves."""
    definitions = {PACKAGE / "contract" / name for name in ("refusals.py", "errors.py")}
    files = set(PACKAGE.rglob("*.py")) - definitions
    return {file: ast.parse(file.read_text()) for file in sorted(files)}


@cache
def used() -> frozenset[str]:
    """Return the name of each `refusals.NAME` in the package."""
    return frozenset(
        node.attr
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "refusals"
    )


def calls() -> Iterator[tuple[str, str, set[str]]]:
    """Yield the cause, the method and the names of the values of each message that is made."""
    for tree in modules().values():
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(
                        value=ast.Attribute(value=ast.Name(id="refusals"), attr=cause), attr=method
                    )
                ) if method in METHODS:
                    yield cause, method, {str(keyword.arg) for keyword in node.keywords}


def places(text: str) -> set[str]:
    """Return the names of the values in a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@EACH
def test_each_cause_is_raised_somewhere(name: str) -> None:
    assert name in used()


def test_every_text_gets_its_values() -> None:
    made = list(calls())
    assert len(made) > len(refusals.ALL) / 2
    for name, method, given in made:
        expected = places(refusals.ALL[name].text)
        if method == "for_field":
            expected -= {"path"}
        assert given == expected, (name, method)


@EACH
def test_a_text_that_names_a_field_begins_with_its_path(name: str) -> None:
    cause = refusals.ALL[name]
    begins = bool(BEGINS_WITH_PATH.match(cause.text))
    assert begins == (cause.answer in ABOUT_THE_BODY | {ErrorAnswer.NOT_FOUND}) or (
        name in ABOUT_NO_FIELD | {"UNKNOWN_PATH"} and not begins
    )


@EACH
def test_each_cause_says_where_it_is_written(name: str) -> None:
    cause = refusals.ALL[name]
    assert cause.source
    assert cause.operations <= refusals.EVERY
    assert cause.operations or cause.answer in (ErrorAnswer.NOT_FOUND, ErrorAnswer.WRONG_METHOD)


def test_no_two_causes_are_the_same() -> None:
    texts = [cause.text for cause in refusals.ALL.values() if cause.text]
    assert len(texts) == len(set(texts))


def test_an_answer_whose_messages_say_nothing_of_the_request_is_explained() -> None:
    explained = {cause.answer for cause in refusals.ALL.values() if cause.explained}
    by_its_messages = {cause.answer for cause in refusals.ALL.values() if not cause.explained}
    assert explained == set(ErrorAnswer) - ABOUT_THE_BODY
    assert by_its_messages == ABOUT_THE_BODY | {ErrorAnswer.NOT_FOUND}


def literals(tree: ast.Module) -> Iterator[str]:
    """Yield the error codes and statuses of errors that are written out in a module.

    A number that has a name is a limit: a status has its name in ErrorAnswer.
    """
    named = {id(node.value) for node in tree.body if isinstance(node, ast.Assign)}
    for node in ast.walk(tree):
        if id(node) in named:
            continue
        match node:
            case ast.Attribute(value=ast.Name(id="ErrorCode")):
                yield f"line {node.lineno}: ErrorCode.{node.attr}"
            case ast.Constant(value=int(status)) if 400 <= status <= 599:
                yield f"line {node.lineno}: {status}"


def test_no_error_code_or_status_is_written_elsewhere() -> None:
    found = {
        str(file.relative_to(PACKAGE)): list(literals(tree))
        for file, tree in modules().items()
        if file.relative_to(PACKAGE).parts[0] in ("problems", "http")
    }
    assert {file: each for file, each in found.items() if each} == {}


@cache
def described() -> Mapping[str, set[int]]:
    """Return the statuses that OpenAPI describes, by operation."""
    api = describe_calls(Flask(__name__), "")
    add_calls(api)
    return {
        operation["operationId"]: {int(status) for status in operation["responses"]}
        for path in api.spec.to_dict()["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
    }


def test_every_operation_that_a_cause_can_meet_is_described() -> None:
    assert described().keys() == refusals.EVERY


@EACH
def test_openapi_describes_the_answer_of_each_cause(name: str) -> None:
    cause: Refusal = refusals.ALL[name]
    for operation in cause.operations:
        assert cause.answer.status in described()[operation], operation


@pytest.mark.parametrize("operation", sorted(refusals.EVERY))
def test_openapi_describes_no_error_without_a_cause(operation: str) -> None:
    errors = {status for status in described()[operation] if status >= 400}
    assert errors == {answer.status for answer in refusals.answers_of(operation)}
