"""What the service reads in tests.

TEST_DATABASE_URL and TEST_BROKER_URL name services to use; without them PostgreSQL comes from
its wheel, and the worker feeds itself.
"""

import gc
import os
from pathlib import Path
from tempfile import mkdtemp
from typing import LiteralString

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg import sql
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import make_url

from app import security
from app.embedded import embedded_postgres
from app.log import configure_logging
from app.settings import Settings, SettingsInvalid, get_settings


def prepare_environment() -> None:
    """Before a test module can touch a task; no .env decides anything here."""
    Settings.model_config["env_file"] = None
    os.environ |= {
        "ENVIRONMENT": "test",
        "DATABASE_URL": _test_database_url(),
        "BROKER_URL": os.environ.get("TEST_BROKER_URL") or "memory://localhost",
        "SECRET_KEY": "only-for-tests-" * 3,
        "JOB_QUEUE": f"test-{os.getpid()}",
        "JOB_LEASE_SECONDS": "2",
        "JOB_PATIENCE_SECONDS": "2",
        "WORKER_STOP_SECONDS": "1",
        "MAIL_DRY_RUN": "true",
        "MAIL_OUTBOX": mkdtemp(prefix="outbox-"),
    }
    configure_logging()
    # What is imported by now stays: the garbage collector need not look at it again and again.
    gc.freeze()
    # Argon2id as in production, at a hundredth of its cost: every test signs somebody in.
    security.hasher = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=1024, parallelism=1),))


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


def create_database() -> None:
    """A new one, with the tables that the migrations make."""
    drop_database()
    _on_the_server("CREATE DATABASE {}")
    command.upgrade(Config("alembic.ini"), "heads")


def drop_database() -> None:
    _on_the_server("DROP DATABASE IF EXISTS {} WITH (FORCE)")


def _on_the_server(statement: LiteralString) -> None:
    url = make_url(get_settings().database_url)
    maintenance = url.set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(url.database or "")))
