"""A real PostgreSQL with the real migrations, and rows that are really committed.

TEST_DATABASE_URL and TEST_BROKER_URL name services to use; without them PostgreSQL comes from
its wheel, and the worker feeds itself.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from celery.result import EagerResult
from fastapi.testclient import TestClient
from processes import Process, remove_queue, running
from sqlalchemy import make_url, text
from sqlalchemy.orm import Session

from app.db import Base, engine, new_session
from app.embedded import embedded_postgres
from app.jobs.models import Job
from app.main import create_app
from app.settings import Settings, SettingsInvalid, get_settings
from app.users.models import User
from app.worker import celery

PASSWORD = "correct horse battery"


def pytest_configure() -> None:
    """What the service reads in tests, set before a test module can touch a task; no .env decides anything here."""
    Settings.model_config["env_file"] = None
    os.environ |= {
        "ENVIRONMENT": "test",
        "DATABASE_URL": _test_database_url(),
        "BROKER_URL": "memory://localhost",
        "SECRET_KEY": "only-for-tests-" * 3,
        "JOB_QUEUE": f"test-{os.getpid()}",
        "JOB_LEASE_SECONDS": "2",
        "MAIL_DRY_RUN": "true",
        "MAIL_OUTBOX": mkdtemp(prefix="outbox-"),
    }


def _test_database_url() -> str:
    given = os.environ.get("TEST_DATABASE_URL")
    try:
        url = make_url(given or embedded_postgres(Path(".dev/postgres")))
    except SettingsInvalid as error:
        pytest.exit(str(error).replace("DATABASE_URL", "TEST_DATABASE_URL"), returncode=2)
    if not given:
        url = url.set(database="app_test")
    if not (url.database or "").endswith("_test"):
        pytest.exit(f"The tests empty their database, and {url.database!r} does not end in _test.", returncode=2)
    return url.render_as_string(hide_password=False)


@pytest.fixture(scope="session", autouse=True)
def database() -> Iterator[None]:
    url = make_url(get_settings().database_url)
    maintenance = url.set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{url.database}" WITH (FORCE)'.encode())
        connection.execute(f'CREATE DATABASE "{url.database}"'.encode())
    command.upgrade(Config("alembic.ini"), "head")
    yield
    engine().dispose()
    rmtree(get_settings().mail_outbox)


@pytest.fixture(autouse=True)
def _empty_after_each_test(database: None) -> Iterator[None]:
    yield
    tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
    with engine().begin() as connection:
        connection.execute(text(f"TRUNCATE {tables}"))
    for file in Path(get_settings().mail_outbox).glob("*.eml"):
        file.unlink()


@pytest.fixture
def session() -> Iterator[Session]:
    with new_session() as session:
        yield session


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(create_app(), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def user(client: TestClient, session: Session) -> User:
    """ada@example.org, registered through the door, with her address verified."""
    user_id = client.post("/users", json={"email": "ada@example.org", "password": PASSWORD}).json()["id"]
    session.execute(text("UPDATE users SET verified_at = now()"))
    session.execute(text("DELETE FROM jobs"))
    session.commit()
    return session.get_one(User, user_id)


SignIn = Callable[..., dict[str, str]]


@pytest.fixture
def sign_in(client: TestClient) -> SignIn:
    """The headers of a signed-in client."""

    def headers(email: str = "ada@example.org") -> dict[str, str]:
        reply = client.post("/auth/token", data={"username": email, "password": PASSWORD})
        return {"Authorization": f"Bearer {reply.json()['access_token']}"}

    return headers


RunJob = Callable[[Job], EagerResult[object]]


@pytest.fixture
def run_job(session: Session) -> RunJob:
    """Deliver a job's message once, to this process; then show the row as it is."""

    def run(job: Job) -> EagerResult[object]:
        result = celery.tasks[job.task].apply(task_id=str(job.id))
        session.expire_all()
        return result

    return run


Worker = Callable[[], AbstractContextManager[Process]]


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    """Starts a real worker, on TEST_BROKER_URL with a relay process, or on none with the relay inside."""
    given = os.environ.get("TEST_BROKER_URL")
    variables = {**os.environ, "BROKER_URL": given or os.environ["BROKER_URL"]}
    log = tmp_path / "log"
    pool = "prefork" if given else "threads"
    command = ["celery", "-q", "-A", "app.worker", "worker", "-P", pool, "-c", "2", "-l", "info"]

    def start() -> AbstractContextManager[Process]:
        return running(command, variables, log)

    if given:
        with running(["app.cli", "relay"], variables, log):
            yield start
        remove_queue(given)
    else:
        yield start
    # Shown by pytest when the test failed.
    print(log.read_text())


Outbox = Callable[[], list[EmailMessage]]


@pytest.fixture
def outbox() -> Outbox:
    """The messages sent so far, oldest first."""

    def read() -> list[EmailMessage]:
        files = sorted(Path(get_settings().mail_outbox).glob("*.eml"))
        return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]

    return read
