"""What the supplier logs, for tests that look at it."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog

from supplier_api.logging import configure_logging

Lines = Callable[[], list[dict[str, Any]]]


@contextmanager
def logging_to(capsys: pytest.CaptureFixture[str], level: str = "info") -> Iterator[Lines]:
    """Log as the supplier does; yield a function that returns the lines since its last call."""
    root, house = logging.getLogger(), logging.getLogger("supplier_api")
    handlers, levels, complain = root.handlers, (root.level, house.level), logging.raiseExceptions
    hooks = sys.excepthook, threading.excepthook
    configure_logging(level)
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    root.handlers, logging.raiseExceptions = handlers, complain
    root.setLevel(levels[0])
    house.setLevel(levels[1])
    sys.excepthook, threading.excepthook = hooks
    structlog.reset_defaults()
