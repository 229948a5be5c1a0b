"""A real PostgreSQL with the real migrations, and rows that are really committed."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from shutil import rmtree

import pytest
from environment import create_database, prepare_environment
from fastapi import FastAPI
from fastapi.testclient import TestClient
from processes import Worker, remove_queue, until, working
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db import Base, engine, new_session
from app.jobs.models import Job, Status, Tick
from app.main import create_app
from app.security import hash_password, sign_token
from app.settings import get_settings
from app.sign_ins.models import SignIn
from app.users.models import User

pytest_plugins = ["job_fixtures", "mail_fixtures"]

PASSWORD = "correct horse battery"


def pytest_configure() -> None:
    prepare_environment()


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Tests with a real worker come last: it would take the jobs of the others. The very last is the one that ends it."""
    items.sort(key=lambda item: ["worker" in item.fixturenames, "worker_to_stop" in item.fixturenames])


@pytest.fixture(scope="session", autouse=True)
def database() -> Iterator[None]:
    create_database()
    yield
    remove_queue()
    engine().dispose()
    rmtree(get_settings().mail_outbox)


@pytest.fixture(autouse=True)
def _empty_after_each_test(database: None) -> Iterator[None]:
    yield
    with engine().begin() as connection:
        connection.exec_driver_sql(_delete_all())
    for file in Path(get_settings().mail_outbox).glob("*.eml"):
        file.unlink()


@cache
def _delete_all() -> str:
    """Of a few rows DELETE is much cheaper than TRUNCATE, which writes new files."""
    return "; ".join(str(table.delete()) for table in reversed(Base.metadata.sorted_tables))


@pytest.fixture
def session() -> Iterator[Session]:
    with new_session() as session:
        yield session


@pytest.fixture(scope="session")
def api() -> FastAPI:
    return create_app()


@pytest.fixture(scope="session")
def client(api: FastAPI) -> Iterator[TestClient]:
    """For all tests: its engine need not learn every statement again in each of them."""
    with TestClient(api, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def user(session: Session) -> User:
    """ada@example.org, with her address verified."""
    return add_verified(session, "ada@example.org")


def add_verified(session: Session, email: str) -> User:
    """As if they had registered and used the link; tests of the door itself go through the door."""
    user = User(email=email, password_hash=password_hash(), verified_at=func.now())
    session.add(user)
    session.commit()
    return user


@cache
def password_hash() -> str:
    return hash_password(PASSWORD)


SignInAs = Callable[..., dict[str, str]]


@pytest.fixture
def sign_in(session: Session) -> SignInAs:
    """The headers of a device that is signed in."""

    def headers(email: str = "ada@example.org") -> dict[str, str]:
        user = session.scalars(select(User).where(User.email == email)).one()
        # What the client calls itself, so that at the door it is no new one.
        sign_in = SignIn(user_id=user.id, device="testclient", address="testclient")
        session.add(sign_in)
        session.commit()
        return bearer(sign_in)

    return headers


def bearer(sign_in: SignIn, seconds: int = 600) -> dict[str, str]:
    """With a token that is good for so long."""
    return {"Authorization": f"Bearer {sign_token('access', sign_in.id, timedelta(seconds=seconds))}"}


@pytest.fixture
def loss_noticed(client: TestClient) -> Iterator[None]:
    """Of connections that a test cuts: the API learns of each now, and not with a request of the next test."""
    yield
    for _ in range(get_settings().database_pool_size):
        client.get("/health/ready")


@pytest.fixture
def relay_looked(session: Session) -> None:
    session.add(Tick(name="relay"))
    session.commit()


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


@pytest.fixture
def worker_to_stop(worker: Worker) -> Worker:
    """The same worker, for the test after which nobody needs it."""
    return worker


SetVariable = Callable[[str, str], None]


@pytest.fixture
def set_variable(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetVariable]:
    """As if the process had been started with this in its environment."""
    changed = set()

    def forget() -> None:
        get_settings.cache_clear()
        if "DATABASE_URL" in changed:
            engine().dispose()
            engine.cache_clear()

    def set_one(name: str, value: str) -> None:
        changed.add(name)
        forget()
        monkeypatch.setenv(name, value)

    yield set_one
    monkeypatch.undo()
    forget()
