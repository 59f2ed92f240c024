"""What connections to either database are given: how long they wait, and keys of their `info`."""

from collections.abc import Mapping
from typing import Any

CONNECT_SECONDS = 2  # for a new connection, or one of the pool; psycopg's minimum
# The keys of a connection's `info` for its next transaction: a function that returns how many
# seconds it may still wait for an answer, and the milliseconds it waits for a lock.
LEFT = "left"
WAIT_MS = "wait_ms"
READ_WAIT_MS = 1000
# A connection that the network has dropped is noticed within some ten seconds.
KEEPALIVE = {
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
# The parameters of every session with PostgreSQL.
CONNECT: Mapping[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    # Without it, the encoding of a database that is not UTF8 could not even be queried.
    "client_encoding": "utf8",
    **KEEPALIVE,
}
