"""What `app doctor` and `app migrate` say of a database that answers, and in which the service cannot work."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url
from sqlalchemy.orm import Session
from support import run

from groundwork.data import engine
from groundwork.jobs.models import Tick
from groundwork.settings import get_settings
from groundwork.testing import SetVariable
from groundwork.testing.environment import create_database


class Elsewhere:
    """An empty database, whose schema belongs to another role than this one."""

    def __init__(self, set_variable: SetVariable) -> None:
        self.set_variable, self.arguments = set_variable, get_settings().database_arguments
        self.url = make_url(get_settings().database_url)
        self.role, self.name = f"role_{self.url.database}", f"empty_{self.url.database}"

    def by_its_role(self, name: str | None) -> None:
        url = self.url.set(username=self.role, password="only-for-tests", database=name)
        self.set_variable("DATABASE_URL", url.render_as_string(hide_password=False))

    def execute(self, statement: str, name: str | None = None) -> None:
        """As the owner, and with the role for {}, or this name."""
        with psycopg.connect(autocommit=True, **self.arguments) as connection:
            connection.execute(SQL(statement).format(Identifier(name or self.role)))


@pytest.fixture
def elsewhere(set_variable: SetVariable) -> Iterator[Elsewhere]:
    elsewhere = Elsewhere(set_variable)
    elsewhere.execute("CREATE ROLE {} LOGIN PASSWORD 'only-for-tests'")
    elsewhere.execute("CREATE DATABASE {}", elsewhere.name)
    elsewhere.arguments |= {"dbname": elsewhere.name}
    elsewhere.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    elsewhere.arguments |= {"dbname": elsewhere.url.database}
    yield elsewhere
    engine().dispose()
    elsewhere.execute("DROP DATABASE {} WITH (FORCE)", elsewhere.name)
    elsewhere.execute("DROP OWNED BY {}")
    elsewhere.execute("DROP ROLE {}")


def test_a_schema_in_which_nothing_may_be_created_is_said_with_its_grant(elsewhere: Elsewhere) -> None:
    elsewhere.by_its_role(elsewhere.name)

    said, migrated = run("doctor")[1], run("migrate")

    lack = f"the role {elsewhere.role} may not create tables in the schema public"
    grant = f"GRANT CREATE ON SCHEMA public TO {elsewhere.role}"
    assert f"!!  migrations at nothing, the newest is 0005, and {lack}  ->  {grant}\n" in said
    reason = "PostgreSQL refuses it, permission denied for schema public"
    assert migrated == (1, f"{reason}: {lack}; let the owner of the database run `{grant}`.\n")


def test_tables_that_the_role_may_not_use_are_said_with_their_grant(elsewhere: Elsewhere) -> None:
    elsewhere.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}")
    elsewhere.execute("REVOKE SELECT ON jobs FROM {}")
    elsewhere.by_its_role(elsewhere.url.database)

    said, listed = run("doctor")[1], run("jobs", "list")

    grant = f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {elsewhere.role}"
    assert f"!!  rights     the role {elsewhere.role} may not use audit_events (INSERT, UPDATE, DELETE), " in said
    assert " jobs (SELECT, INSERT, UPDATE, DELETE), " in said
    assert f"  ->  {grant}\n" in said
    assert listed[0] == 1
    assert listed[1].startswith("PostgreSQL refuses it, permission denied for table jobs: the role ")
    assert f"run `{grant}`" in listed[1]


def test_a_database_that_can_only_be_read_is_said(elsewhere: Elsewhere) -> None:
    elsewhere.execute("ALTER ROLE {} SET default_transaction_read_only = on")
    elsewhere.by_its_role(elsewhere.name)

    said, migrated = run("doctor")[1], run("migrate")

    assert f"/{elsewhere.name} has default_transaction_read_only = on  ->  set it to off" in said
    assert migrated[0] == 1
    assert migrated[1].startswith("PostgreSQL refuses it, cannot execute CREATE TABLE in a read-only transaction; ")


def test_a_database_that_cannot_keep_every_text_is_said(elsewhere: Elsewhere) -> None:
    elsewhere.execute("DROP DATABASE {}", elsewhere.name)
    options = "TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
    elsewhere.execute("CREATE DATABASE {} " + options, elsewhere.name)
    elsewhere.by_its_role(elsewhere.name)

    said = run("doctor")[1]

    assert f"/{elsewhere.name} has the encoding LATIN1, and not every text can be kept in it  ->  make another" in said


@pytest.mark.usefixtures("relay_looked")
def test_triggers_that_were_left_disabled_are_said(elsewhere: Elsewhere) -> None:
    elsewhere.execute("ALTER TABLE jobs DISABLE TRIGGER USER")

    said = run("doctor")[1]

    elsewhere.execute("ALTER TABLE jobs ENABLE TRIGGER USER")
    assert (
        "!!  migrations triggers of the table jobs are disabled, and nobody hears of its changes  ->  ALTER TABLE"
        in said
    )


def test_an_isolation_in_which_others_fail_is_said(elsewhere: Elsewhere) -> None:
    elsewhere.execute("ALTER ROLE {} SET default_transaction_isolation = 'serializable'")
    elsewhere.by_its_role(elsewhere.name)

    remedy = "set it to 'read committed', for the server, the database and the role"
    assert f" has default_transaction_isolation = 'serializable'  ->  {remedy}\n" in run("doctor")[1]


def test_a_schema_that_is_not_there_is_said_with_its_statement(elsewhere: Elsewhere) -> None:
    elsewhere.execute("ALTER ROLE {} SET search_path = mine")
    elsewhere.by_its_role(elsewhere.name)

    remedy = f"CREATE SCHEMA mine AUTHORIZATION {elsewhere.role}"
    assert f"!!  rights     search_path = mine, and there is no schema mine  ->  {remedy}\n" in run("doctor")[1]
    assert f"run `{remedy}`" in run("migrate")[1]


@pytest.mark.usefixtures("relay_looked")
def test_requests_and_everything_else_have_one_database_and_one_schema(
    elsewhere: Elsewhere, set_variable: SetVariable, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_variable("DIRECT_DATABASE_URL", get_settings().database_url)
    one = run("doctor")
    monkeypatch.setattr("groundwork.tools.database_check.HEARD_WITHIN", 2)
    set_variable("DATABASE_URL", f"{get_settings().database_url}?options=-c%20search_path%3Dpg_catalog")
    other_schema = run("doctor")[1]
    set_variable("DATABASE_URL", elsewhere.url.set(database=elsewhere.name).render_as_string(hide_password=False))

    code, said = run("doctor")

    assert one[0] == 0, one[1]
    assert "ok  sessions   notifications arrive\n" in one[1]
    assert "!!  database   web requests see the schema 'pg_catalog' through postgresql://" in other_schema
    assert ", and everything else 'public'  ->  a pooler may leave out options of the URL: " in other_schema
    assert code == 1
    assert "!!  sessions   DATABASE_URL and DIRECT_DATABASE_URL lead to two databases" in said


@pytest.mark.usefixtures("relay_looked")
def test_an_index_that_was_not_finished_is_said(session: Session) -> None:
    session.add_all([Tick(name="one"), Tick(name="two")])
    session.commit()
    with psycopg.connect(autocommit=True, **get_settings().database_arguments) as connection:
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("CREATE UNIQUE INDEX CONCURRENTLY twice ON ticks ((1))")

        said = run("doctor")[1]

        connection.execute("DROP INDEX twice")
    assert "the index twice is invalid" in said
    assert "  ->  REINDEX INDEX CONCURRENTLY twice\n" in said


def test_no_other_database_is_emptied_by_the_tests(set_variable: SetVariable) -> None:
    set_variable("DIRECT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/production")

    with pytest.raises(pytest.exit.Exception, match="'production' does not end in _test"):
        create_database()
