"""A queue of notifications that is full: PostgreSQL refuses each commit that sends one, of every database."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import psycopg
import pytest
from psycopg.errors import ProgramLimitExceeded
from sqlalchemy import make_url, select
from support import listeners

from app.accounts.models import User
from app.worker import celery
from groundwork.data import new_session
from groundwork.jobs import Job, enqueue, housekeeping
from groundwork.jobs.models import CHANNEL
from groundwork.jobs.relay import relay
from groundwork.settings import get_settings
from groundwork.testing import Published, SetVariable, until
from groundwork.testing.environment import create_database

SERVER = """
import sys
from pathlib import Path
from groundwork.embedded import embedded_postgres
print(embedded_postgres(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def small_queue(tmp_path: Path, set_variable: SetVariable) -> Iterator[None]:
    """The database is on a server of its own, whose queue has room for 64 notifications of some length."""
    words = [sys.executable, "-c", SERVER, str(tmp_path / "postgres")]
    subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    with (tmp_path / "postgres" / "postgresql.conf").open("a") as settings:
        settings.write("max_notify_queue_pages = 64\n")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = make_url(process.stdout.readline().strip()).set(database="queue_test")
        set_variable("DATABASE_URL", url.render_as_string(hide_password=False))
        create_database()
        yield
        # Back to the other one, before this one goes.
        process.communicate(timeout=30)


def connect() -> psycopg.Connection:
    return psycopg.connect(get_settings().database_url, autocommit=True)


def fill_the_queue() -> None:
    sent = "SELECT pg_notify('of others', n || repeat('x', 7900)) FROM generate_series(1, 1000) AS n"
    with connect() as other, pytest.raises(ProgramLimitExceeded, match="too many notifications"):
        other.execute(sent)


def new_job() -> Job:
    with new_session() as session:
        user = User(email="ada@example.org")
        session.add(session.scalar(select(User)) or user)
        session.flush()
        job = enqueue(session, housekeeping, owner=session.scalars(select(User.id)).one())
        session.commit()
        return job


@pytest.mark.usefixtures("small_queue")
def test_a_full_queue_refuses_no_job_the_relay_says_why_and_it_is_emptied_once_that_is_gone(
    published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    sleeper = connect()
    sleeper.execute("LISTEN of_others")
    sleeper.execute("BEGIN")
    sleeper.execute("SELECT 1")
    fill_the_queue()
    stop = Event()
    relaying = Thread(target=relay, args=(celery, (), stop))
    relaying.start()
    try:
        job = new_job()
        until(lambda: str(job.id) in published())
        until(lambda: "NOTIFY queue" in caplog.text)
        until(lambda: listeners() == 1)
    finally:
        stop.set()
        relaying.join()
    # It is gone without a word, and nobody else asks how full the queue is.
    pid = sleeper.info.backend_pid
    sleeper.close()
    with connect() as listener:
        listener.execute(f"LISTEN {CHANNEL}".encode())
        new_job()
        heard = [note.channel for note in listener.notifies(timeout=5, stop_after=1)]

    assert f"'pid': {pid}" in caplog.text
    assert heard == [CHANNEL]
