"""The gateway's own SQLite file: its tables, and the number that says which shape they have.

Dates that tenants see are kept as written on the wire; `arrived` and `marked_on` are machine time.
"""

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

# Raised with every change of a table. A file of another number is moved aside: it is test data.
SCHEMA = 2

metadata = MetaData()


def _problem_id() -> Column[int]:
    return Column("problem_id", ForeignKey("problem.id"), nullable=False, index=True)


meta = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)

# `document` is what the tenant sent, with the service it stands for. The KCI `next_number` is
# expected next; beyond `final_number` none is taken any more.
problem = Table(
    "problem",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("supplier", String, nullable=False),
    Column("conversation_id", String, nullable=False),
    Column("status", String, nullable=False),
    Column("reference", String),
    Column("document", JSON, nullable=False),
    Column("next_number", Integer, nullable=False),
    Column("final_number", Integer),
    Column("created", String, nullable=False),
    Column("updated", String, nullable=False),
    sqlite_autoincrement=True,
)

# A tenant's amendment or cancellation; `document` is what the tenant sent.
change = Table(
    "change",
    metadata,
    Column("id", Integer, primary_key=True),
    _problem_id(),
    Column("kind", String, nullable=False),
    Column("status", String, nullable=False),
    Column("document", JSON, nullable=False),
    sqlite_autoincrement=True,
)

# A request to the supplier, from the tenant's answer on until the supplier's is settled.
# `subject_id` is the change or the resolution that it is about.
call = Table(
    "call",
    metadata,
    Column("id", Integer, primary_key=True),
    _problem_id(),
    Column("kind", String, nullable=False),
    Column("subject_id", Integer),
    Column("state", String, nullable=False, index=True),
    Column("path", String, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", JSON, nullable=False),
)

kci = Table(
    "kci",
    metadata,
    Column("supplier", String, primary_key=True),
    Column("id", String, primary_key=True),
    _problem_id(),
    Column("number", Integer, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("body", JSON, nullable=False),
    Column("received_on", String, nullable=False),
    Column("arrived", String, nullable=False),
    UniqueConstraint("problem_id", "number"),
)

# Numbers that were waited for in vain, from `first` to `last`.
gap = Table(
    "gap",
    metadata,
    Column("id", Integer, primary_key=True),
    _problem_id(),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("marked_on", String, nullable=False),
)

resolution = Table(
    "resolution",
    metadata,
    Column("id", Integer, primary_key=True),
    _problem_id(),
    Column("reference", String, nullable=False),
    Column("document", JSON, nullable=False),
    UniqueConstraint("problem_id", "reference"),
    sqlite_autoincrement=True,
)

# What the tenant was told, in the order in which it took effect. `delivered_on` stands when it was
# delivered to the tenant's own URL.
tenant_update = Table(
    "tenant_update",
    metadata,
    Column("id", Integer, primary_key=True),
    _problem_id(),
    Column("resolution_id", ForeignKey("resolution.id")),
    Column("document", JSON, nullable=False),
    Column("delivered_on", String),
)
Index(
    "tenant_update_undelivered",
    tenant_update.c.problem_id,
    sqlite_where=tenant_update.c.delivered_on.is_(None),
)

# What goes with a problem, each before what it refers to.
ABOUT_A_PROBLEM = (tenant_update, resolution, gap, kci, call, change)
