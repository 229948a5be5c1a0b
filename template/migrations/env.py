"""Alembic's entry: the tables of every feature, in the database of the settings."""

from collections.abc import Sequence

from alembic import context
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError

from app.settings import get_settings
from groundwork.data import Base, engine, import_models
from groundwork.settings import SettingsInvalid

import_models()


def follow_all(_: MigrationContext, __: object, directives: Sequence[MigrationScript]) -> None:
    """A new revision follows every head: the service's own, and what an update of the template brought beside it."""
    for script in directives:
        # Unless somebody named one with --head.
        if script.head in {None, "head"}:
            script.head = "heads"


try:
    get_settings()
except SettingsInvalid as error:
    # One sentence for `uv run alembic` too, which works on the database of a running `app dev`.
    raise CommandError(str(error)) from None

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with engine().connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, process_revision_directives=follow_all)
        with context.begin_transaction():
            # Two containers that start together migrate one after the other.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('alembic'))")
            context.run_migrations()
