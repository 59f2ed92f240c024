"""SQLite stores and compares instants as text: all must have the same form."""

import re

from sqlalchemy import Text, cast, select

from supplier_api.db import UnitOfWork, tables
from supplier_api.db.types import InstantColumn
from tests.integration.problems.rig import Rig

WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


def _stored(uow: UnitOfWork) -> dict[str, set[str]]:
    """Return the texts that stand in each column for instants, of those that have any."""
    columns = [
        column
        for table in tables.metadata.sorted_tables
        for column in table.c
        if isinstance(column.type, InstantColumn)
    ]
    found = {
        str(column): set(uow.connection.execute(select(cast(column, Text))).scalars()) - {None}
        for column in columns
    }
    return {name: texts for name, texts in found.items() if texts}


def test_every_instant_is_written_in_the_same_form(on_sqlite: Rig) -> None:
    rig = on_sqlite
    rig.incidents.declare("INC1", ["SI0000000000100"], "A cable was cut.")
    # Its first KCI is queued with its lane.
    rig.create(serviceId="SI0000000000100")
    new = rig.store.read(_stored)
    rig.incidents.end("INC1")
    rig.take()
    rig.amend()
    rig.resolve()
    rig.take()
    old = rig.store.read(_stored)

    assert {"lane.due_at", "lane.not_before", "message.not_before"} <= set(new)
    assert "timer.due_at" in old
    for name, texts in (*new.items(), *old.items()):
        assert [text for text in texts if not WRITTEN.fullmatch(text)] == [], name
