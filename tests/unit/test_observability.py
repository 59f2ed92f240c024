"""What a log line holds, and what never gets into one."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import structlog

from supplier_api.logging import SafeToLog, bind, configure_logging, get_logger, written_together

MARKER = "zebrafinch"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """Configure logging for a test and return what was logged since; undo it afterwards."""
    root, house = logging.getLogger(), logging.getLogger("supplier_api")
    before = root.handlers, root.level, house.level, logging.raiseExceptions
    hooks = sys.excepthook, threading.excepthook
    configure_logging("info", "json")

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    yield read
    root.handlers, level, house_level, logging.raiseExceptions = before
    root.setLevel(level)
    house.setLevel(house_level)
    sys.excepthook, threading.excepthook = hooks
    structlog.reset_defaults()


def test_a_line_has_the_bound_ids(lines: Lines) -> None:
    log = get_logger("supplier_api.problems")
    with bind(request_id="r1", tenant="TENANT1", gateway_id=7), bind(reference="SP_1"):
        log.info("decided", attempt=2)
    log.info("idle")

    decided, idle = lines()
    assert (
        decided.items()
        >= {
            "event": "decided",
            "level": "info",
            "logger": "supplier_api.problems",
            "request_id": "r1",
            "tenant": "TENANT1",
            "gateway_id": 7,
            "reference": "SP_1",
            "attempt": 2,
        }.items()
    )
    assert "request_id" not in idle
    assert "reference" not in idle


def test_the_level_is_kept(lines: Lines) -> None:
    get_logger("supplier_api.problems").debug("too small a thing")

    assert lines() == []


def test_bodies_are_not_logged(lines: Lines) -> None:
    get_logger("supplier_api.problems").info("got", body={"notes": MARKER}, rest=[MARKER])

    (line,) = lines()
    assert (line["body"], line["rest"]) == ("[dict]", "[list]")


def test_an_exception_is_logged_without_its_values(lines: Lines) -> None:
    log = get_logger("supplier_api.problems")
    try:
        try:
            int(MARKER)
        except ValueError as cause:
            raise KeyError(MARKER) from cause
    except KeyError:
        log.exception("it broke")

    (line,) = lines()
    assert line["error"] == "builtins.KeyError"
    assert line["caused_by"] == "builtins.ValueError"
    assert "test_observability.py" in line["trace"]
    assert line["trace"].endswith(":test_an_exception_is_logged_without_its_values")
    assert MARKER not in json.dumps(line)


def test_an_error_of_the_house_may_speak(lines: Lines) -> None:
    class TooOldError(SafeToLog):
        pass

    get_logger("supplier_api.db").error("no start", exc_info=TooOldError("schema 0001"))

    (line,) = lines()
    assert line["error_text"] == "schema 0001"


def test_a_librarys_warning_is_logged_without_its_arguments(lines: Lines) -> None:
    library = logging.getLogger("urllib3")
    library.info("connecting to %s", MARKER)
    library.warning("retrying %s", MARKER)
    library.error(ValueError(MARKER))

    warning, error = lines()
    assert (warning["event"], warning["logger"]) == ("retrying %s", "urllib3")
    assert error["event"] == "ValueError"


def test_an_error_that_nobody_caught(lines: Lines) -> None:
    error = RuntimeError(MARKER)

    sys.excepthook(RuntimeError, error, None)

    (line,) = lines()
    assert line["event"] == "stopped by an unforeseen error"
    assert line["error"] == "builtins.RuntimeError"


def test_an_error_that_ends_a_thread(lines: Lines) -> None:
    def fail() -> None:
        raise RuntimeError(MARKER)

    thread = threading.Thread(target=fail, name="courier")
    thread.start()
    thread.join()

    (line,) = lines()
    assert line.items() >= {"event": "thread stopped", "thread": "courier"}.items()
    assert MARKER not in json.dumps(line)


def test_lines_that_are_written_together_come_at_the_end_in_order(
    lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    log = get_logger("supplier_api.delivery")
    with written_together():
        log.info("first")
        log.info("second", cause="none")
        assert capsys.readouterr().err == ""
    log.info("third")

    assert [line["event"] for line in lines()] == ["first", "second", "third"]


def test_what_is_logged_before_an_error_is_written(lines: Lines) -> None:
    with suppress(LookupError), written_together():
        get_logger("supplier_api.delivery").info("sent")
        raise LookupError

    assert [line["event"] for line in lines()] == ["sent"]
