"""The tables of people who sign in to the console. All instants are machine time."""

from sqlalchemy import Column, ForeignKey, Integer, String, Table

from supplier_api.db.types import InstantColumn, RowId, metadata

console_user = Table(
    "console_user",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    # Argon2id, with its parameters and salt.
    Column("password_hash", String(255), nullable=False),
    Column("created", InstantColumn, nullable=False),
    # Since when the user may not sign in.
    Column("disabled", InstantColumn),
)

# A session that nobody has ended; who may use it is known by the token, of which only the SHA-256
# is stored.
console_session = Table(
    "console_session",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    # Empty for one that was begun with a link. Users are disabled, never deleted.
    Column("user_id", ForeignKey("console_user.id"), index=True),
    Column("address", String(64), nullable=False),
    Column("since", InstantColumn, nullable=False),
    Column("seen", InstantColumn, nullable=False),
    Column("ends", InstantColumn, nullable=False, index=True),
)

# Links that sign in once; a used one is deleted.
sign_in_link = Table(
    "sign_in_link",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("ends", InstantColumn, nullable=False, index=True),
)

# How often in a row nobody could sign in with a name, or from an address; the key is a hash of it,
# since people type passwords where a name belongs.
sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    # When the next attempt is let through, and when all of them are forgotten.
    Column("until", InstantColumn, nullable=False),
    Column("ends", InstantColumn, nullable=False, index=True),
)
