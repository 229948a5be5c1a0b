from collections.abc import Iterator
from enum import Enum
from hashlib import sha256
from uuid import uuid4

import pytest
from alembic.command import downgrade, upgrade
from alembic.config import Config
from fastapi.testclient import TestClient
from people import PASSWORD, can_sign_in
from sqlalchemy import make_url, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from support import run

from app.accounts.passwords import hash_password
from app.main import create_app
from app.settings import API, get_settings
from groundwork.data import Base, engine
from groundwork.http import hash_secret
from groundwork.jobs import Status, enqueue, housekeeping
from groundwork.jobs.models import Tick
from groundwork.testing import RunJob, SetVariable
from groundwork.testing.environment import create_database, drop_database


@pytest.fixture
def own_database(set_variable: SetVariable) -> Iterator[None]:
    """One that no other test needs: a migration that cannot be taken back, or not run again, breaks it."""
    url = make_url(get_settings().database_url)
    set_variable("DATABASE_URL", url.set(database=f"own_{url.database}").render_as_string(hide_password=False))
    create_database()
    yield
    drop_database()


@pytest.mark.usefixtures("own_database", "relay_looked")
def test_migrating_brings_the_tables_up_to_date_and_then_changes_nothing() -> None:
    downgrade(Config("alembic.ini"), "0001")
    assert "at 0001" in run("doctor")[1]

    codes = [run("migrate")[0] for _ in range(2)]

    assert codes == [0, 0]
    assert run("doctor")[0] == 0


@pytest.mark.usefixtures("own_database", "relay_looked")
def test_the_doctor_misses_the_migration_of_a_changed_model_and_minds_no_table_of_others() -> None:
    with engine().begin() as connection:
        connection.exec_driver_sql("CREATE TABLE of_others (id int PRIMARY KEY); CREATE INDEX ON of_others (id)")
    with_others = run("doctor")
    with engine().begin() as connection:
        connection.exec_driver_sql("ALTER TABLE users DROP COLUMN verified_at")

    code, output = run("doctor")

    assert with_others[0] == 0, with_others[1]
    assert code == 1
    remedy = 'uv run alembic revision --autogenerate -m "..."'
    assert f"!!  migrations no migration has what the models say of users  ->  {remedy}" in output


BEFORE = """
INSERT INTO users (id, email, password_hash, admin, verified_at) VALUES
    (gen_random_uuid(), 'linked@example.org', :hash, false, NULL),
    (gen_random_uuid(), 'late@example.org', :hash, false, NULL),
    (gen_random_uuid(), 'empty@example.org', '', false, now()),
    (gen_random_uuid(), 'known@example.org', :hash, false, now());
INSERT INTO sign_ins (id, user_id, device, address) SELECT gen_random_uuid(), id, '', '' FROM users;
INSERT INTO tokens (hash, purpose, user_id, email, expires_at)
    SELECT :link, 'verify', id, email, now() + interval '1 hour' FROM users WHERE email = 'linked@example.org';
"""


@pytest.mark.usefixtures("own_database")
def test_users_who_never_proved_their_address_stay_and_get_in_by_a_mailed_link() -> None:
    downgrade(Config("alembic.ini"), "0003")
    with engine().begin() as connection:
        values = {"hash": hash_password(PASSWORD), "link": hash_secret("mailed before the update")}
        for statement in BEFORE.split(";\n")[:-1]:
            connection.execute(text(statement), values)

    assert run("migrate")[0] == 0

    names = ("linked", "late", "empty", "known")
    with TestClient(create_app()) as client:
        before = [can_sign_in(client, PASSWORD, f"{name}@example.org") for name in names]
        reply = client.post(f"{API}/auth/verify", json={"token": "mailed before the update"})
        after = [can_sign_in(client, PASSWORD, f"{name}@example.org") for name in names]
    with engine().connect() as connection:
        users = connection.scalar(text("SELECT count(*) FROM users"))
        signed_in = "SELECT email FROM sign_ins JOIN users ON users.id = user_id WHERE device = '' AND ended_at IS NULL"
        left = connection.scalars(text(f"{signed_in} ORDER BY email")).all()
    assert (before, reply.status_code) == ([False, False, False, True], 204)
    assert (after, users) == ([True, False, False, True], 4)
    assert left == ["empty@example.org", "known@example.org"]


@pytest.mark.usefixtures("own_database")
def test_a_command_that_finds_no_tables_names_the_remedy() -> None:
    downgrade(Config("alembic.ini"), "base")

    refused = run("jobs", "list")

    assert refused == (
        1,
        'The tables are not up to date, relation "jobs" does not exist; run `uv run app migrate`.\n',
    )


@pytest.mark.usefixtures("own_database")
def test_a_migration_that_fails_is_seen_with_its_cause() -> None:
    downgrade(Config("alembic.ini"), "base")
    with engine().begin() as connection:
        connection.exec_driver_sql("CREATE TABLE users (id int)")

    with pytest.raises(ProgrammingError, match='relation "users" already exists'):
        run("migrate")


@pytest.fixture
def owner(own_database: None, set_variable: SetVariable) -> Iterator[None]:
    """The service's role owns its database and is nothing else, as compose.yaml has it."""
    url = make_url(get_settings().database_url)
    role, password = f"owner_{url.database}", "only-for-tests"
    with engine().execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql(f"""CREATE ROLE "{role}" LOGIN PASSWORD '{password}'""")
        connection.exec_driver_sql(f'ALTER DATABASE "{url.database}" OWNER TO "{role}"')
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION pg_database_owner")
    set_variable("DATABASE_URL", url.set(username=role, password=password).render_as_string(hide_password=False))
    yield
    set_variable("DATABASE_URL", url.render_as_string(hide_password=False))
    with engine().execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql(f'REASSIGN OWNED BY "{role}" TO CURRENT_USER; DROP OWNED BY "{role}"')
        connection.exec_driver_sql(f'DROP ROLE "{role}"')


@pytest.mark.usefixtures("owner")
def test_the_service_needs_no_superuser(session: Session, run_job: RunJob) -> None:
    migrated = run("migrate")
    job = enqueue(session, housekeeping)
    session.commit()
    run_job(job)
    session.add(Tick(name="relay"))
    session.commit()

    assert migrated[0] == 0, migrated[1]
    assert job.status == Status.SUCCEEDED
    code, said = run("doctor")
    assert code == 0, said
    with TestClient(create_app()) as client:
        assert client.get("/health/ready").status_code == 200


@pytest.mark.usefixtures("own_database")
def test_who_was_signed_in_before_refresh_tokens_were_of_the_sign_in_stays_signed_in() -> None:
    downgrade(Config("alembic.ini"), "0003")
    values = {"user": uuid4(), "sign_in": uuid4(), "used": b"used", "hash": sha256(b"given before").digest()}
    with engine().begin() as connection:
        for statement in (
            """
            INSERT INTO users (id, email, password_hash, admin, verified_at)
            VALUES (%(user)s, 'ada@example.org', '$argon2', false, now())
            """,
            "INSERT INTO sign_ins (id, user_id, device, address) VALUES (%(sign_in)s, %(user)s, 'Firefox', '192.0.2.1')",
            """
            INSERT INTO tokens (hash, purpose, user_id, sign_in_id, expires_at, used_at) VALUES
            (%(used)s, 'refresh', %(user)s, %(sign_in)s, now() + interval '1 day', now()),
            (%(hash)s, 'refresh', %(user)s, %(sign_in)s, now() + interval '1 day', NULL)
            """,
        ):
            connection.exec_driver_sql(statement, values)

    upgrade(Config("alembic.ini"), "heads")

    with TestClient(create_app()) as client:
        tokens = [client.post(f"{API}/auth/refresh", json={"refresh_token": "given before"}).json()]
        tokens.append(client.post(f"{API}/auth/refresh", json={"refresh_token": tokens[0]["refresh_token"]}).json())
    assert "refresh_token" in tokens[1]
    # And back: the newest token is a row again.
    downgrade(Config("alembic.ini"), "0003")
    newest = sha256(tokens[1]["refresh_token"].encode()).digest()
    with engine().connect() as connection:
        rows = connection.exec_driver_sql("SELECT hash FROM tokens WHERE used_at IS NULL").scalars().all()
    assert rows == [newest]


class Shade(Enum):
    PALE = "pale"
    DARK = "dark"


class Table(DeclarativeBase):
    """As Base, and in no migration."""

    type_annotation_map = Base.type_annotation_map


class Paint(Table):
    __tablename__ = "paints"
    name: Mapped[str] = mapped_column(primary_key=True)
    shade: Mapped[Shade | None]


def test_an_enum_is_the_text_of_its_value() -> None:
    paints = Table.metadata.tables["paints"]
    with engine().connect() as connection:
        paints.create(connection)
        with Session(connection) as session:
            session.add(Paint(name="ash", shade=Shade.PALE))
            session.flush()
            session.expire_all()
            read = session.scalars(select(Paint)).one().shade
            stored = session.execute(text("SELECT shade, pg_typeof(shade)::text FROM paints")).one()
        connection.rollback()

    assert read is Shade.PALE
    assert tuple(stored) == ("pale", "character varying")
