"""Real services for the tests, from the first rung of a ladder that holds.

A given URL; a server on its standard local port; a private one from installed programs; PostgreSQL from its wheel; a
container. A suite gets a database of its own, and on a server at its standard port a Redis database or a vhost too.
"""

import getpass
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from kombu import Connection

import containers
import private_servers
import rabbitmq
from missing import Missing
from run_folder import RunFolder, end_process

MARK = "claimed-by-tests"
_turns = count()


@dataclass(frozen=True)
class Service:
    """`rungs` return a URL that answers, or raise Missing."""

    name: str
    variable: str
    check: Callable[[str], None]
    rungs: tuple[Callable[[RunFolder], str], ...]


def url_of(run: RunFolder, name: str) -> str:
    """The server that this process uses; raises Missing."""
    found = climb(run, name)
    if isinstance(found, Missing):
        raise found
    return found


@cache
def climb(run: RunFolder, name: str) -> str | Missing:
    """Its address, or one sentence with a reason for each rung."""
    service = SERVICES[name]
    if given := os.environ.get(service.variable):
        try:
            service.check(given)
        except Exception as error:
            return Missing(f"no {name} answers at {service.variable}={given} ({error})")
        return given
    reasons = []
    for rung in service.rungs:
        try:
            url = rung(run)
            service.check(url)
            return url
        except Missing as missing:
            reasons.append(str(missing))
    return Missing(f"no {name}: {'; '.join(reasons)}. Start one on its standard port, or set {service.variable}")


@contextmanager
def database(run: RunFolder) -> Iterator[str]:
    """The URL of a database that the rendered project's suite makes; dropped afterwards."""
    server = url_of(run, "postgresql")
    name = f"run_{run.path.name.rpartition('-')[2]}_{os.getpid()}_{next(_turns)}_test"
    run.note("database", server=server, name=name)
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        _drop_database(server, name)


@contextmanager
def made_database(run: RunFolder) -> Iterator[str]:
    """Like `database`, for what expects that it is there."""
    with database(run) as url, psycopg.connect(url_of(run, "postgresql"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{urlsplit(url).path[1:]}"'.encode())
        yield url


@contextmanager
def namespace(run: RunFolder, broker: str) -> Iterator[str]:
    """The URL of a Redis database or of a vhost that only this suite uses, on a server at its standard port.

    Elsewhere the server's own URL: it was given to us as it is, or it is this run's alone; suites name their queues apart.
    """
    server = url_of(run, broker)
    if server == f"{LOCAL_REDIS}/0" and not os.environ.get(SERVICES[broker].variable):
        url = claim_redis(run)
        try:
            yield url
        finally:
            _flush_redis(url, run.path.name)
    elif server == f"{rabbitmq.SERVER}/" and not os.environ.get(SERVICES[broker].variable):
        url = rabbitmq.claim(run)
        try:
            yield url
        finally:
            rabbitmq.give_back(run, url)
    else:
        yield server


def _drop_database(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


def _check_postgres(url: str) -> None:
    with psycopg.connect(url, connect_timeout=3) as connection:
        row = connection.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    if row != (True,):
        raise Missing("its user may not make databases")


def _local_postgres(run: RunFolder) -> str:
    reasons = []
    for user in dict.fromkeys([getpass.getuser(), "postgres"]):
        url = f"postgresql://{user}@127.0.0.1:5432/postgres"
        try:
            _check_postgres(url)
            return url
        except (psycopg.OperationalError, Missing) as error:
            reasons.append(f"{user}: {str(error).splitlines()[0]}")
    raise Missing(f"none at 127.0.0.1:5432 that we may use ({', '.join(reasons)})")


def _check_broker(url: str) -> None:
    with Connection(url, connect_timeout=3) as connection:
        connection.ensure_connection(max_retries=1, timeout=3)


LOCAL_REDIS = "redis://127.0.0.1:6379"


def _local_redis(run: RunFolder) -> str:
    """The server, once it has had a database for us."""
    _flush_redis(claim_redis(run), run.path.name)
    return f"{LOCAL_REDIS}/0"


def claim_redis(run: RunFolder) -> str:
    """A logical database that is empty, marked as ours for this run."""
    for number in range(16):
        url = f"{LOCAL_REDIS}/{number}"
        with redis.Redis.from_url(url, socket_connect_timeout=3) as client:
            try:
                # The mark first: of two that see an empty database one gets it.
                claimed = client.set(MARK, run.path.name, nx=True)
                if claimed and client.dbsize() == 1:
                    run.note("redis", url=url, mark=run.path.name)
                    return url
                if claimed:
                    client.delete(MARK)
            except redis.ConnectionError as error:
                raise Missing(f"none at 127.0.0.1:6379 ({error})") from error
            except redis.ResponseError as error:
                raise Missing(f"none at 127.0.0.1:6379 that we may use ({error})") from error
    raise Missing("none of the 16 databases of the one at 127.0.0.1:6379 is empty")


def _flush_redis(url: str, mark: str) -> None:
    with redis.Redis.from_url(url) as client:
        if client.get(MARK) == mark.encode():
            client.flushdb()


SERVICES = {
    service.name: service
    for service in (
        Service(
            "postgresql",
            "TEST_DATABASE_URL",
            _check_postgres,
            (_local_postgres, private_servers.postgresql, private_servers.postgresql_from_wheel, containers.postgresql),
        ),
        Service("redis", "TEST_REDIS_URL", _check_broker, (_local_redis, private_servers.redis, containers.redis)),
        Service(
            "rabbitmq",
            "TEST_RABBITMQ_URL",
            _check_broker,
            (rabbitmq.local, private_servers.rabbitmq, containers.rabbitmq),
        ),
    )
}
CLEANERS: dict[str, Callable[..., None]] = {
    "process": end_process,
    "folder": shutil.rmtree,
    "database": _drop_database,
    "redis": _flush_redis,
    "vhosts": rabbitmq.delete_vhosts,
}
