"""The unit of work: one transaction, over which repositories are made."""

from sqlalchemy import Connection


class UnitOfWork:
    """A transaction on `connection`; `dialect` is sqlite or postgresql.

    Repositories are made over it where they are used. Order of locks, everywhere: decision key,
    incidents, service, problems by id, lanes by id.
    """

    def __init__(self, connection: Connection, dialect: str) -> None:
        """Work on `connection`, which is in a transaction."""
        self.connection = connection
        self.dialect = dialect
        self.wakes_workers = False

    def wake(self) -> None:
        """Have the workers woken once this transaction is committed."""
        self.wakes_workers = True
