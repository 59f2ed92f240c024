"""A connection pooler such as PgBouncer between us and PostgreSQL: what works through it.

In its transaction mode each transaction may run on another session of the server. Our settings are
set for each transaction, so they hold; but LISTEN and prepared statements need a session that is
kept for one client.
"""

import psycopg
from sqlalchemy import URL

from supplier_api.db.errors import StoreBroken, StoreUnavailable
from supplier_api.db.postgresql import Session, connect

ROUNDS = 5
MEND = (
    "set SUPPLIER_API__DATABASE__LISTEN_URL to the server itself, past the pooler,"
    " or let the pooler keep a session for each client (pool_mode=session)"
)


def require_session(url: URL) -> None:
    """Check that a connection to PostgreSQL keeps its session; raises StoreUnavailable if not."""
    try:
        with connect(url) as one:
            # A pooler reports a backend id of its own to the client.
            if one.info.backend_pid == _session(one):
                return
            with connect(url) as other:
                shared = _share(one, other)
    except psycopg.Error as error:
        first, _, _ = str(error).partition("\n")
        raise StoreBroken(f"the database cannot be reached: {first}") from error
    if shared:
        raise StoreUnavailable(
            f"the database is reached through a connection pooler that shares sessions: {MEND}"
        )


def _share(one: Session, other: Session) -> bool:
    """Return whether two clients ever get the same session, or one of them gets two."""
    seen: set[int] = set()
    for _ in range(ROUNDS):
        first, second = _session(one), _session(other)
        seen |= {first, second}
        if first == second or len(seen) > 2:
            return True
    return False


def _session(client: Session) -> int:
    row = client.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    pid: int = row[0]
    return pid
