"""Wires the parts together: the one place that knows them all."""

from supplier_api.app.office import (
    Clocks,
    build_judge,
    build_office,
    claim_database,
    open_office,
)
from supplier_api.app.sessions import build_sessions
from supplier_api.app.web import build_heartbeat, create_app
from supplier_api.app.worker import build_retaining, build_worker

__all__ = [
    "Clocks",
    "build_heartbeat",
    "build_judge",
    "build_office",
    "build_retaining",
    "build_sessions",
    "build_worker",
    "claim_database",
    "create_app",
    "open_office",
]
