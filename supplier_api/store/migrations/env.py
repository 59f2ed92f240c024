"""Runs the migrations on the connection that `store.migrate` opened; never on one of its own."""

from alembic import context

from supplier_api.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
