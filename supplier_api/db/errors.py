"""The errors that the store raises when it cannot do a piece of work now."""


class StoreUnavailable(Exception):
    """Nothing was changed; the same work may succeed later.

    The gateway gets 503 with Retry-After; delivery tries again.
    """


class StoreBusy(StoreUnavailable):
    """Other transactions held what the work needed for longer than it could wait."""


class StoreBroken(StoreUnavailable):
    """The database itself fails, whatever the work; the text names the cause.

    It cannot be reached, is read-only or corrupt, the disk is full, and the like.
    """


class CommitUnknown(StoreUnavailable):
    """The connection was lost at the COMMIT, and there was no time to find out whether it happened.

    The work may be stored after all: for this error alone, "nothing was changed" does not hold.
    """


class Gone(StoreUnavailable):
    """A row no longer exists: all that was stored for its tenant has been deleted meanwhile."""


class NeverStored(Exception):
    """Raised by work that finds nothing to do: nothing is stored, and it counts as done."""


class SchemaTooOld(Exception):
    """The database's schema is older than this code needs; the message names the command."""
