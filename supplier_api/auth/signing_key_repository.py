"""The repository of the built-in token issuer's keys."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select

from supplier_api.db.tables import signing_key
from supplier_api.db.unit_of_work import UnitOfWork

_t = signing_key.c
_LOCK = 0x51604E


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key in PEM, with the key id that tokens carry."""

    kid: str
    private_pem: str
    created: datetime


class SigningKeyRepository:
    """Reads and writes keys within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection

    def add_first(self, key: SigningKey) -> None:
        """Store a key unless one exists; of several processes that start at once, one does."""
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        if not self.all():
            values = {name: getattr(key, name) for name in SigningKey.__slots__}
            self._connection.execute(insert(signing_key), values)

    def all(self) -> list[SigningKey]:
        """Return the keys, the oldest first."""
        query = select(_t.kid, _t.private_pem, _t.created).order_by(_t.created, _t.kid)
        return [SigningKey(*row) for row in self._connection.execute(query)]
