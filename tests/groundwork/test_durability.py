"""An accepted job is on the disk, also where a database is set up to forget its last commits."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session
from support import run

from app.main import create_app
from app.settings import API
from groundwork.data import engine
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.outdated import housekeeping
from groundwork.settings import get_settings
from groundwork.testing import SetVariable

# What each transaction that enqueues waits for at its commit.
NOTE = """
    CREATE TABLE noted (waits text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO noted VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
    CREATE TRIGGER note AFTER INSERT ON jobs FOR EACH STATEMENT EXECUTE FUNCTION note();
"""


@pytest.fixture
def forgetful(session: Session) -> Iterator[None]:
    """A database whose connections do not wait for the disk unless they ask for it."""
    [name] = session.scalars(text("SELECT current_database()"))
    session.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    session.execute(text(NOTE))
    session.commit()
    engine().dispose()
    yield
    session.execute(text(f'ALTER DATABASE "{name}" RESET synchronous_commit'))
    session.execute(text("DROP TRIGGER note ON jobs; DROP FUNCTION note; DROP TABLE noted"))
    session.commit()
    engine().dispose()


@pytest.fixture
def pooled(set_variable: SetVariable) -> None:
    """The settings of a service whose DATABASE_URL leads to a pooler."""
    set_variable("DIRECT_DATABASE_URL", get_settings().database_url)


@pytest.mark.usefixtures("pooled", "forgetful")
def test_a_request_through_a_pooler_waits_for_the_disk(session: Session) -> None:
    with TestClient(create_app()) as client:
        body = {"email": "ada@example.org", "password": "correct horse battery"}
        assert client.post(f"{API}/users", json=body).status_code == 202

    assert session.scalars(text("SELECT waits FROM noted")).all() == ["on"]


@pytest.mark.usefixtures("forgetful")
def test_whoever_enqueues_waits_for_the_disk(session: Session) -> None:
    with TestClient(create_app()) as client:
        body = {"email": "ada@example.org", "password": "correct horse battery"}
        assert client.post(f"{API}/users", json=body).status_code == 202
    enqueue(session, housekeeping)
    session.commit()

    assert session.scalars(text("SELECT waits FROM noted")).all() == ["on", "on"]


def test_the_server_ends_the_session_of_a_host_that_vanished() -> None:
    names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
    with engine().connect() as connection:
        by_tcp = connection.exec_driver_sql("SELECT inet_server_addr()").scalar() is not None
        known = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names]

    assert known == (["10", "5", "2", "20000"] if by_tcp else ["0"] * 4)


@pytest.mark.usefixtures("forgetful", "relay_looked")
def test_the_doctor_tells_what_a_crash_may_take() -> None:
    code, output = run("doctor")

    assert code == 0, output
    assert "synchronous_commit = off by default" in output or "fsync" in output


@pytest.mark.usefixtures("relay_looked")
def test_in_production_a_database_that_a_crash_destroys_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"fsync": "off", "full_page_writes": "on", "synchronous_commit": "on", "synchronous_standby_names": ""}
    monkeypatch.setattr("groundwork.tools.database_check._defaults", lambda: known)
    monkeypatch.setattr(get_settings(), "environment", "production")

    assert "!!  durability fsync = off: a crash of the machine may destroy the whole database" in run("doctor")[1]
