"""Alembic's entry: the tables of every feature, in the database of the settings."""

from alembic import context
from alembic.util import CommandError

from app.settings import get_settings
from groundwork.data import Base, engine, import_models
from groundwork.data.migrating import follow_all, one_at_a_time, our_tables
from groundwork.settings import SettingsInvalid

import_models()

try:
    get_settings()
except SettingsInvalid as error:
    # One sentence for `uv run alembic` too, which works on the database of a running `app dev`.
    raise CommandError(str(error)) from None

if context.is_offline_mode():
    # psql reads the statements, and no driver, for which each % would be written twice.
    plain = {"paramstyle": "named"}
    context.configure(dialect_name="postgresql", target_metadata=Base.metadata, literal_binds=True, dialect_opts=plain)
    with context.begin_transaction():
        context.run_migrations()
else:
    with one_at_a_time(), engine().connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            process_revision_directives=follow_all,
            include_name=our_tables(context.config),
        )
        with context.begin_transaction():
            context.run_migrations()
