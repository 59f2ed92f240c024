"""Logs: one JSON object per line, with the ids of the current work and no personal data.

A line has an event name, single values from the caller, and the ids bound for the current request
or message. Bodies are never logged: a value that is not a plain number or text is replaced by the
name of its type. An exception is logged by its type and its stack, not by its text, since libraries
put the offending value into the text.
"""

import json
import logging
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

FRAMES = 40
PLAIN = (str, int, float, type(None))
_IDS: ContextVar[Mapping[str, Any]] = ContextVar("ids", default=MappingProxyType({}))
_WRITING = threading.Lock()
# The buffered lines of a thread inside `written_together`.
_kept = threading.local()


class SafeToLog(Exception):
    """An error whose text is our own and contains no value of a request."""


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a module: `get_logger(__name__)`."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def bind(
    *,
    request_id: str | None = None,
    conversation_id: str | None = None,
    tenant: str | None = None,
    gateway_id: int | None = None,
    reference: str | None = None,
    message_id: str | None = None,
    worker: str | None = None,
) -> AbstractContextManager[None]:
    """Add ids to every line that is logged inside the `with` block; None adds nothing."""
    ids = {
        "request_id": request_id,
        "conversation_id": conversation_id,
        "tenant": tenant,
        "gateway_id": gateway_id,
        "reference": reference,
        "message_id": message_id,
        "worker": worker,
    }
    return _bound({name: value for name, value in ids.items() if value is not None})


@contextmanager
def _bound(ids: Mapping[str, Any]) -> Iterator[None]:
    token = _IDS.set({**_IDS.get(), **ids})
    try:
        yield
    finally:
        _IDS.reset(token)


@contextmanager
def written_together() -> Iterator[None]:
    """Buffer the lines that this thread logs in the `with` block and write them at its end.

    Each write is a system call, which lets other threads run.
    """
    lines: list[str] = []
    _kept.lines = lines
    try:
        yield
    finally:
        del _kept.lines
        if lines:
            with suppress(Exception):
                _write("\n".join(lines))


def configure_logging(level: str = "info", form: Literal["json", "console"] = "json") -> None:
    """Send our logs, and the warnings of libraries, to standard error.

    `level` is debug, info, warning or error; `form` is JSON, or lines for a person to read.
    Uncaught exceptions are logged in the same form instead of being printed.
    """
    # Our own lines bypass the logging of the standard library.
    structlog.configure(
        processors=[_complete, _render(form)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Lines,
    )
    handler = _StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_name_foreign_event, _complete],
            use_get_message=False,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render(form)],
        )
    )
    logging.raiseExceptions = False  # it would print the arguments of a line that it cannot write
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))
    logging.getLogger("supplier_api").setLevel(level.upper())
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


class _Lines:
    """The output of one logger."""

    def __init__(self, name: str) -> None:
        self.name = name

    def _write(self, line: str) -> None:
        """Write a line; a failure to write must not stop the work."""
        kept: list[str] | None = getattr(_kept, "lines", None)
        if kept is not None:
            kept.append(line)
            return
        with suppress(Exception):
            _write(line)

    debug = info = warning = error = critical = _write


class _StandardError(logging.Handler):
    """The handler for log records of libraries."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            _write(self.format(record))
        except Exception:  # noqa: BLE001 - as above
            self.handleError(record)


def _write(line: str) -> None:
    """Write to the current standard error, which a test or a command may replace."""
    with _WRITING:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


# Created once: json.dumps creates one for each call.
_ENCODER = json.JSONEncoder(default=repr)


def _render(form: Literal["json", "console"]) -> Processor:
    if form == "console":
        return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return lambda _logger, _method, event: _ENCODER.encode(event)


def _name_foreign_event(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Use the template of a library's record as the event: its arguments may be personal."""
    template = event["_record"].msg
    event["event"] = template if isinstance(template, str) else type(template).__name__
    return event


def _complete(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Return all that is in a line: one pass, since most requests write one.

    `method` is the level, by its name.
    """
    if "exc_info" in event:
        _describe_exception(event)
    record = event.get("_record")
    line = {
        **_IDS.get(),
        **event,
        "level": method,
        "logger": record.name if record else logger.name,
        "at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }
    for name, value in line.items():
        if not isinstance(value, PLAIN) and not name.startswith("_"):
            line[name] = f"[{type(value).__name__}]"
    return line


def _describe_exception(event: EventDict) -> None:
    """Replace exc_info by the types of the error and its causes, and its stack."""
    info = event.pop("exc_info")
    error = info[1] if isinstance(info, tuple) else sys.exc_info()[1] if info is True else info
    if not isinstance(error, BaseException):
        return
    event["error"] = _type_name(error)
    if isinstance(error, SafeToLog):
        event["error_text"] = str(error)
    if causes := [_type_name(cause) for cause in _causes(error)]:
        event["caused_by"] = " < ".join(causes)
    frames = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__))
    places = [f"{frame.filename}:{frame.lineno}:{frame.name}" for frame in frames[-FRAMES:]]
    event["trace"] = "\n".join(places)


def _type_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _causes(error: BaseException) -> list[BaseException]:
    causes: list[BaseException] = []
    cause = error.__cause__ or error.__context__
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    return causes


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logger = get_logger(__name__)
    logger.critical("stopped by an unforeseen error", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        name = args.thread.name if args.thread else ""
        get_logger(__name__).critical("thread stopped", thread=name, exc_info=args.exc_value)
