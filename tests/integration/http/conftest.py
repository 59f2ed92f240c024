"""The application stands for the session."""

from tests.integration.standing import app, clocks, sqlite_file

__all__ = ["app", "clocks", "sqlite_file"]
