"""Migrations beside other processes that migrate, and beside tables of others."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import upgrade
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg.sql import SQL, Identifier
from sqlalchemy import CheckConstraint, Column, Enum, Integer, MetaData, Table
from sqlalchemy.schema import CreateTable
from support import run

from groundwork.data import Base, engine
from groundwork.data.migrating import our_tables
from groundwork.settings import get_settings
from groundwork.testing import until

LOCK = "pg_try_advisory_xact_lock(hashtext('alembic'))"
# It has begun later.
WAITING = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle'
    AND backend_start > (SELECT backend_start FROM pg_stat_activity WHERE pid = %s)
"""


@pytest.fixture
def other() -> Iterator[psycopg.Connection[Any]]:
    """Another process, and a table of it that no model knows."""
    with psycopg.connect(autocommit=True, **get_settings().database_arguments) as connection:
        connection.execute("CREATE TABLE of_others (id int)")
        yield connection
        connection.execute("DROP TABLE of_others")


def test_who_waits_for_another_migration_does_not_hold_up_its_concurrent_index(
    other: psycopg.Connection[Any],
) -> None:
    engine().dispose()
    with ThreadPoolExecutor() as threads:
        with psycopg.connect(**get_settings().database_arguments) as migrating:
            assert migrating.execute(f"SELECT {LOCK}").fetchone() == (True,)
            second = threads.submit(run, "migrate")
            until(lambda: other.execute(WAITING, [migrating.info.backend_pid]).fetchone() == (1,))
            other.execute("SET statement_timeout = '10s'")

            other.execute("CREATE INDEX CONCURRENTLY of_others_id ON of_others (id)")

            waited = not second.done()
        code, output = second.result()
    valid = other.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'of_others_id'::regclass").fetchone()
    assert (waited, code, valid) == (True, 0, (True,)), output


def test_others_wait_also_while_a_migration_works_outside_of_its_transaction(other: psycopg.Connection[Any]) -> None:
    config, free = Config("alembic.ini"), []
    scripts = ScriptDirectory.from_config(config)

    def migrations(_: object, context: MigrationContext) -> list[Any]:
        with context.autocommit_block():
            free.append(other.execute(f"SELECT {LOCK}").fetchone())
        return []

    with EnvironmentContext(config, scripts, fn=migrations, destination_rev="heads"):
        scripts.run_env()
    free.append(other.execute(f"SELECT {LOCK}").fetchone())

    assert free == [(False,), (True,)]


@pytest.mark.usefixtures("other")
def test_autogenerate_drops_what_this_service_created_and_no_table_of_others(tmp_path: Path) -> None:
    config = Config("alembic.ini")
    written = 'op.create_table(\n    "gone",\n)\nop.rename_table("old", "renamed")\nop.execute("CREATE TABLE by_hand (x int)")'
    (tmp_path / "own.py").write_text(f'revision = "own"\ndown_revision = "0001"\ndef upgrade():\n    """{written}"""\n')
    config.set_main_option("version_locations", f"%(here)s/migrations/versions;{tmp_path}")
    config.set_main_option("path_separator", ";")
    ours = ("gone", "renamed", "by_hand")
    with engine().connect() as connection:
        for name in ours:
            connection.exec_driver_sql(f"CREATE TABLE {name} (id int)")
        context = MigrationContext.configure(connection, opts={"include_name": our_tables(config)})

        steps = compare_metadata(context, Base.metadata)

    assert sorted((step[0], step[1].name) for step in steps) == [("remove_table", name) for name in sorted(ours)]


@pytest.mark.parametrize(
    "what",
    [
        Column("price", Integer, CheckConstraint("price > 0")),
        CheckConstraint("id > 0"),
        Column("shade", Enum("pale", "dark", native_enum=False, create_constraint=True)),
    ],
)
def test_a_constraint_without_a_name_names_its_table(what: Any) -> None:
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)

    with pytest.raises(CommandError, match=r"The table 'invoices' has a CHECK constraint without a name; write name="):
        CreateTable(Table("invoices", metadata, Column("id", Integer), what)).compile(dialect=engine().dialect)


@pytest.mark.parametrize("command", ["doctor", "migrate"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('revision, down_revision = "0005", "0004"', "Revision 0005 is present more than once in "),
        (
            'revision, down_revision = "more", "gone"',
            "follows the revision 'gone', and no file there has it; bring that",
        ),
        ('revision, down_revision = "more", "more"', "cannot be read: "),
        ("revision = ", "cannot be read: invalid syntax"),
    ],
)
def test_migrations_that_contradict_each_other_are_refused(command: str, text: str, says: str) -> None:
    file = Path(f"migrations/versions/{uuid4().hex}.py")
    file.write_text(f"{text}\ndef upgrade(): pass\n")

    try:
        code, output = run(command)
    finally:
        file.unlink()

    assert code == 1
    assert says in output
    assert "Traceback" not in output


def test_a_database_that_another_version_has_migrated_is_said(other: psycopg.Connection[Any]) -> None:
    other.execute("UPDATE alembic_version SET version_num = 'later'")

    said, migrated = run("doctor")[1], run("migrate")

    other.execute("UPDATE alembic_version SET version_num = '0005'")
    sentence = (
        "The database is at later, which no file in migrations/versions has; work with the version of the service"
    )
    assert f"!!  migrations {sentence}" in said
    assert migrated[0] == 1
    assert migrated[1].startswith(sentence)


def test_the_statements_of_the_migrations_can_be_run_by_psql() -> None:
    """By somebody who may change the tables, where the service itself may not."""
    written = StringIO()
    config = Config("alembic.ini", output_buffer=written)
    upgrade(config, "head", sql=True)

    name = f"offline_{get_settings().database_arguments['dbname']}"
    with psycopg.connect(autocommit=True, **get_settings().database_arguments) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    try:
        with psycopg.connect(autocommit=True, **get_settings().database_arguments | {"dbname": name}) as connection:
            connection.execute(written.getvalue())
            assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0005",)
    finally:
        with psycopg.connect(autocommit=True, **get_settings().database_arguments) as connection:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
