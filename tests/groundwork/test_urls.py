"""A URL is read in one place: either every connection is made as it says, or one sentence says why none is."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import psycopg
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.main import create_app
from app.worker import celery
from groundwork.data.connections import autocommit_engine, engine
from groundwork.jobs.one_transaction import job_engine
from groundwork.jobs.relay import relay
from groundwork.live.reader import connect
from groundwork.settings import SettingsInvalid, get_settings
from groundwork.testing import SetVariable, until
from groundwork.urls import place_of

ENCODE = "cannot be read; in its user, its password and its parameters write %2F for /, %3F for ?"


@pytest.mark.parametrize(
    "password", ["hidden/word", "hidden?word", "1/hidden", "hidden word", "hidden%word", "1@hidden"]
)
def test_what_is_wrong_with_a_url_is_said_without_its_password(set_variable: SetVariable, password: str) -> None:
    set_variable("DATABASE_URL", f"postgresql://ada:{password}@db/app")

    with pytest.raises(SettingsInvalid) as raised:
        get_settings()

    assert str(raised.value).startswith(f"DATABASE_URL: {ENCODE}")
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("url", ["redis://:{}@broker:6379/0", "amqp://ada:{}@broker//", "redis://a;redis://:{}@b:6379"])
@pytest.mark.parametrize("password", ["hidden/word", "hidden#word", "hidden?word", "1/hidden"])
def test_nor_is_that_of_a_broker_shown(set_variable: SetVariable, url: str, password: str) -> None:
    set_variable("BROKER_URL", url.format(password))

    with pytest.raises(SettingsInvalid) as raised:
        get_settings()

    assert str(raised.value).startswith(f"BROKER_URL: {ENCODE}")
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://db/app?ssl=require", "has the parameter 'ssl', .* write sslmode=require"),
        ("postgresql://db/app?pgbouncer=true", "has the parameter 'pgbouncer', .* and set DIRECT_DATABASE_URL"),
        ("postgresql+asyncpg://db/app?sslmode=require&schema=mine", "'schema', .* write options=-c%20search_path%3D"),
        ("postgresql:///app?host=a:1&host=b:2", "write postgresql://user:password@one:5432,two:5432/name"),
        ("postgresql://db:x/app", ENCODE),
        ("postgresql://db:123456/app", ENCODE),
        ("postgresql://db:70000/app", "has the port 70000; ports end at 65535"),
        ("postgresql://db/app?sslmode=no-verify", "has sslmode=no-verify; write one of disable, .*verify-full"),
        (
            "postgresql://db/app?sslmode=require&sslrootcert=system",
            "driver: weak sslmode .require. may not be used with",
        ),
        (
            "postgresql://db/app?sslnegotiation=direct",
            "driver: weak sslmode .prefer. may not be used with sslnegotiation",
        ),
        ("postgresql://db/app?ssl_min_protocol_version=TLSv9", "driver: invalid .ssl_min_protocol_version. value"),
        ("postgresql://db/app?require_auth=scram", "driver: invalid require_auth value: .scram."),
        ("postgresql://db/app?service=nobodys", "driver: definition of service .nobodys. not found"),
        ("postgresql://one:1,two:2,three:3/app?port=1,2", "driver: could not match 2 port numbers to 3 hosts"),
        ("postgresql://db:0/app", "driver: invalid port number: .0."),
        ("postgresql://db/app?keepalives=yes", "has keepalives=yes; write a number"),
        ("postgresql://db/app?search_path=mine", "'search_path', .* write options=-c%20search_path%3D"),
        ("postgresql://db/app?connect_timeout=soon", "has connect_timeout=soon; write a number"),
        ("postgresql://db/app?sslrootcert=/no/where", "names /no/where as sslrootcert, and there is no such file"),
    ],
)
def test_what_other_drivers_understand_is_refused_by_name(set_variable: SetVariable, url: str, sentence: str) -> None:
    set_variable("DATABASE_URL", url)

    with pytest.raises(SettingsInvalid, match=f"DATABASE_URL: .*{sentence.replace('?', '[?]')}"):
        get_settings()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///app?host=/run/postgresql",
        "postgresql://db/app?gssencmode=require",
        "postgresql://db/app?hostaddr=192.0.2.1&sslmode=require&channel_binding=require",
        "postgresql://one,two:5433,three/app?target_session_attrs=read-write&load_balance_hosts=random",
        "postgresql://db/app?require_auth=scram-sha-256&ssl_min_protocol_version=TLSv1.2&keepalives=1",
    ],
)
def test_what_works_is_not_refused(set_variable: SetVariable, url: str) -> None:
    set_variable("DATABASE_URL", url)

    assert get_settings().database_url == url


@contextmanager
def relaying() -> Iterator[None]:
    stop = Event()
    thread = Thread(target=relay, args=(celery, (), stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_every_connection_is_made_as_the_url_says(set_variable: SetVariable) -> None:
    """A space in an option, and two servers of which the first is away: each driver of its own read both otherwise."""
    given = get_settings().database_arguments
    user = f"{given['user']}:{given['password']}@" if "password" in given else f"{given.get('user', '')}@"
    hosts = f"127.0.0.1:1,{given['host']}:{given.get('port', 5432)}"
    set_variable("DATABASE_URL", f"postgresql://{user}{hosts}/{given['dbname']}?options=-c%20application_name%3Dours")
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ours'"

    def ours() -> int:
        with psycopg.connect(**given) as other:
            return (other.execute(count).fetchone() or (0,))[0]

    with relaying():
        # One waits for notifications, one looks and enqueues.
        until(lambda: ours() >= 2)
    with TestClient(create_app()) as client:
        before = ours()
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/ready").status_code in {200, 503}
        assert ours() > before
    for each in (engine(), job_engine(), autocommit_engine(engine(), "psycopg")):
        with each.connect() as connection:
            assert connection.scalar(text("SHOW application_name")) == "ours"

    async def read() -> dict[str, str]:
        async with await connect() as connection:
            return await (await connection.execute("SHOW application_name")).fetchone() or {}

    assert asyncio.run(read()) == {"application_name": "ours"}


def test_the_place_of_several_servers_is_shown() -> None:
    assert place_of("postgresql://ada:secret@one:5432,two:5432/app") == "postgresql://ada@one:5432,two:5432/app"


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_every_connection_speaks_utf_8(
    set_variable: SetVariable, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", encoding)
    url = get_settings().database_url
    set_variable("DATABASE_URL", f"{url}{'&' if '?' in url else '?'}client_encoding={encoding}")

    with engine().connect() as connection:
        assert connection.scalar(text("SELECT :word"), {"word": "\N{SNOWMAN}"}) == "\N{SNOWMAN}"
    with TestClient(create_app()) as client:
        assert client.get("/health/ready").status_code in {200, 503}
        engine().dispose()
