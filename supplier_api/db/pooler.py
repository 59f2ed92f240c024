"""A connection pooler between us and PostgreSQL, as PgBouncer: what can be done through it.

In its transaction mode each transaction may be on another session of the server. What we set holds
for a transaction anyhow; but to listen, and to have statements prepared, takes a session of one's
own.
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
    """Refuse a way to PostgreSQL that gives nobody a session; raises StoreUnavailable."""
    try:
        with connect(url) as one:
            # A pooler makes up the number by which its client is known.
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
    """Tell whether two clients are ever given the same session, or one of them two."""
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
