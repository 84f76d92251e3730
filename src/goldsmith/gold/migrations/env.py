"""Alembic runs a migration on the connection that `gold.database` opened, inside its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
