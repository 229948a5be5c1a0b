"""A real PostgreSQL with the real migrations, and rows that are really committed."""

from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from shutil import rmtree

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from celery.result import EagerResult
from environment import prepare_environment
from fastapi import FastAPI
from fastapi.testclient import TestClient
from processes import Worker, remove_queue, until, working
from sqlalchemy import func, make_url, select, text
from sqlalchemy.orm import Session

from app.db import Base, engine, new_session
from app.jobs.models import Job, Status, Tick
from app.main import create_app
from app.settings import get_settings
from app.users.models import User
from app.worker import celery

PASSWORD = "correct horse battery"


def pytest_configure() -> None:
    prepare_environment()


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Tests with a real worker come last: it would take the jobs of the others."""
    items.sort(key=lambda item: "worker" in item.fixturenames)


@pytest.fixture(scope="session", autouse=True)
def database() -> Iterator[None]:
    url = make_url(get_settings().database_url)
    maintenance = url.set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{url.database}" WITH (FORCE)'.encode())
        connection.execute(f'CREATE DATABASE "{url.database}"'.encode())
    command.upgrade(Config("alembic.ini"), "head")
    yield
    remove_queue()
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


@pytest.fixture(scope="session")
def api() -> FastAPI:
    return create_app()


@pytest.fixture
def client(api: FastAPI) -> Iterator[TestClient]:
    with TestClient(api, raise_server_exceptions=False) as client:
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


@pytest.fixture
def relay_looked(session: Session) -> None:
    session.add(Tick(name="relay"))
    session.commit()


RunJob = Callable[[Job], EagerResult[object]]


@pytest.fixture
def run_job(session: Session) -> RunJob:
    """Deliver a job's message once, to this process; then show the row as it is."""

    def run(job: Job) -> EagerResult[object]:
        result = celery.tasks[job.task].apply(task_id=str(job.id))
        session.expire_all()
        return result

    return run


@pytest.fixture(scope="session")
def _workplace(database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with working(tmp_path_factory.mktemp("worker") / "log") as worker:
        yield worker


@pytest.fixture
def worker(_workplace: Worker, session: Session) -> Iterator[Worker]:
    """A real worker process and a relay, shared by the tests that ask for it."""
    _workplace.start()
    said = _workplace.log.stat().st_size
    yield _workplace
    until(lambda: session.scalar(select(func.count()).where(Job.status == Status.RUNNING)) == 0)
    # Shown by pytest when the test failed.
    print(_workplace.log.read_text()[said:])


SetVariable = Callable[[str, str], None]


@pytest.fixture
def set_variable(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetVariable]:
    """As if the process had been started with this in its environment."""

    def forget() -> None:
        if engine.cache_info().currsize:
            engine().dispose()
        engine.cache_clear()
        get_settings.cache_clear()

    def set_one(name: str, value: str) -> None:
        forget()
        monkeypatch.setenv(name, value)

    yield set_one
    forget()
    monkeypatch.undo()


Published = Callable[[], list[str]]


@pytest.fixture
def published() -> Iterator[Published]:
    """The ids of the messages published so far; taken out of the queue."""
    with celery.connection_for_read() as connection:
        queue = celery.amqp.queues[celery.conf.task_default_queue].bind(connection.default_channel)
        queue.declare()

        def take() -> list[str]:
            ids = []
            while message := queue.get():
                message.ack()
                positional, named, _ = message.payload
                assert (positional, named) == ([], {}), "the row has the arguments"
                ids.append(message.headers["id"])
            return ids

        queue.purge()
        yield take


Outbox = Callable[[], list[EmailMessage]]


@pytest.fixture
def outbox() -> Outbox:
    """The messages sent so far, oldest first."""

    def read() -> list[EmailMessage]:
        files = sorted(Path(get_settings().mail_outbox).glob("*.eml"))
        return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]

    return read
