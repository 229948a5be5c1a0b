"""The environment of the tests.

TEST_DATABASE_URL and TEST_BROKER_URL name services to use. Without them PostgreSQL comes from its wheel, and the worker
feeds itself.
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
from sqlalchemy import make_url

from groundwork.embedded import embedded_postgres
from groundwork.log import configure_logging
from groundwork.settings import Settings, SettingsInvalid, get_settings
from groundwork.urls import libpq_arguments

__all__ = ["create_database", "drop_database", "prepare_environment"]


def prepare_environment() -> None:
    """Set the variables of the service; no `.env` decides anything in tests."""
    Settings.model_config["env_file"] = None
    os.environ |= {
        "ENVIRONMENT": "test",
        "DATABASE_URL": _test_database_url(),
        # Of the shell: another database, which is not to be emptied.
        "DIRECT_DATABASE_URL": "",
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
    # What is imported by now stays, and tests make little garbage: looking for it seldom saves a sixth of their time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _test_database_url() -> str:
    given = os.environ.get("TEST_DATABASE_URL")
    if not given:
        try:
            url = make_url(embedded_postgres(Path(".dev/postgres")))
        except SettingsInvalid as error:
            pytest.exit(str(error).replace("DATABASE_URL", "TEST_DATABASE_URL"), returncode=2)
        return url.set(database="app_test").render_as_string(hide_password=False)
    try:
        name = libpq_arguments(given).get("dbname", "")
    except ValueError as error:
        pytest.exit(f"TEST_DATABASE_URL {error}.", returncode=2)
    if not name.endswith("_test"):
        pytest.exit(f"The tests empty their database, and {name!r} does not end in _test.", returncode=2)
    return given


def create_database() -> None:
    """Create the database anew, with the tables that the migrations make."""
    drop_database()
    _on_the_server("CREATE DATABASE {}")
    command.upgrade(Config("alembic.ini"), "heads")


def drop_database() -> None:
    """Drop the database, whoever is connected to it."""
    name = get_settings().database_arguments["dbname"]
    if not name.endswith("_test"):
        # A file of SECRETS_DIR says where, most likely.
        pytest.exit(f"The tests drop their database, and {name!r} does not end in _test.", returncode=2)
    _on_the_server("DROP DATABASE IF EXISTS {} WITH (FORCE)")


def _on_the_server(statement: LiteralString) -> None:
    arguments = get_settings().database_arguments
    with psycopg.connect(autocommit=True, **arguments | {"dbname": "postgres"}) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(arguments["dbname"])))
