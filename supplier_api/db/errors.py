"""What the store says when it cannot do a piece of work now."""


class StoreUnavailable(Exception):
    """Nothing was changed; the same work may succeed later.

    Answered to the gateway as 503 with Retry-After, and by delivery with another try.
    """


class StoreBusy(StoreUnavailable):
    """Others held what the work needed for longer than it could wait."""


class StoreBroken(StoreUnavailable):
    """The database itself is in trouble, whatever the work; the text names the cause.

    It cannot be reached, is read-only or corrupt, the disk is full, and the like.
    """


class CommitUnknown(StoreUnavailable):
    """The connection was lost at the COMMIT, and there was no time to see what became of it.

    The work may have been done after all: this one exception says nothing of "nothing was changed".
    """


class Gone(StoreUnavailable):
    """A row is no longer there: all that was stored for its tenant has been deleted meanwhile."""


class NeverStored(Exception):
    """Raised by work that finds nothing to do: it leaves no trace, and is done."""


class SchemaTooOld(Exception):
    """The database's schema is older than this code needs; the message names the command."""
