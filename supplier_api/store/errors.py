"""What the store says when it cannot do a piece of work now."""


class StoreUnavailable(Exception):
    """Nothing was changed; the same work may succeed later.

    Answered to the gateway as 503 with Retry-After, and by delivery with another try.
    """


class StoreBusy(StoreUnavailable):
    """Others held what the work needed for longer than it could wait."""


class Gone(StoreUnavailable):
    """A row is no longer there: all that was stored for its tenant has been deleted meanwhile."""


class SchemaTooOld(Exception):
    """The database's schema is older than this code needs; the message names the command."""
