"""Fixtures of every service: a real PostgreSQL with the real migrations, rows that are committed, a client, a worker.

`tests/conftest.py` loads them: `pytest_plugins = ["groundwork.testing.plugin"]`.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from shutil import rmtree

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from groundwork.configuration import configuration
from groundwork.data import Base, engine, new_session
from groundwork.data.connections import forget_engine
from groundwork.jobs import Job, Status, notices
from groundwork.log import configure_logging
from groundwork.settings import get_settings
from groundwork.testing.environment import create_database, prepare_environment
from groundwork.testing.jobs import published, run_job
from groundwork.testing.mail import mailed, outbox
from groundwork.testing.processes import SetVariable, Worker, remove_queue, until, working

__all__ = ["mailed", "outbox", "published", "run_job"]


def pytest_configure() -> None:
    prepare_environment()


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Tests with a real worker come last: it would take the jobs of the others. The very last is the one that ends it."""
    items.sort(key=lambda item: ["worker" in item.fixturenames, "worker_to_stop" in item.fixturenames])


def _create_app() -> FastAPI:
    api: FastAPI = resolve_name(f"{configuration().package}.main:create_app")()
    return api


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
    """A session of the test itself; what it does not commit nobody else sees."""
    with new_session() as session:
        yield session


@pytest.fixture(scope="session")
def api() -> FastAPI:
    return _create_app()


@pytest.fixture(scope="session")
def client(api: FastAPI) -> Iterator[TestClient]:
    """A client of the API, for all tests: its engine need not learn every statement again in each of them."""
    with TestClient(api, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def development() -> Iterator[TestClient]:
    """A client of the API as `app dev` starts it."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ENVIRONMENT", "development")
        get_settings.cache_clear()
        with TestClient(_create_app(), "http://localhost", raise_server_exceptions=False) as client:
            yield client
    get_settings.cache_clear()
    configure_logging()


@pytest.fixture(scope="session")
def worker_modules() -> list[str]:
    """Modules with tasks that the worker imports beside those of the service; a conftest.py may override it."""
    return []


@pytest.fixture(scope="session")
def _workplace(database: None, worker_modules: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with working(tmp_path_factory.mktemp("worker") / "log", worker_modules) as worker:
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


@pytest.fixture
def set_variable(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetVariable]:
    """Set an environment variable as if the process had been started with it."""
    changed: set[str] = set()

    def forget() -> None:
        get_settings.cache_clear()
        if changed & {"DATABASE_URL", "DIRECT_DATABASE_URL"}:
            forget_engine()

    def set_one(name: str, value: str) -> None:
        changed.add(name)
        # What the test before left to send is not sent with settings that may be wrong.
        with notices.apart():
            forget()
            monkeypatch.setenv(name, value)

    yield set_one
    with notices.apart():
        monkeypatch.undo()
        forget()
