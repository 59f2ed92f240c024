"""Runs the migrations on the connection that `store.migrate` opened; never on one of its own."""

from alembic import context

from supplier_api.db.tables import metadata

_connection = context.config.attributes["connection"]
context.configure(
    connection=_connection,
    target_metadata=metadata,
    render_as_batch=True,
    # All or nothing on SQLite, for which alembic would not think that possible.
    transactional_ddl=True,
    # One by one: what is done stays done, and a try that follows goes on from there.
    transaction_per_migration=_connection.dialect.name == "postgresql",
)
with context.begin_transaction():
    context.run_migrations()
