"""When the effects of jobs are committed, as a listener hears it."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import time

import psycopg

__all__ = ["finishes"]

# Only while the listener is there: a notification costs each commit a lock that is held until it is on disk.
TELL = """
    CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_notify('effects', NEW.number::text); RETURN NULL; END $$;
    CREATE TRIGGER tell AFTER INSERT ON effects FOR EACH ROW EXECUTE FUNCTION tell();
"""


@contextmanager
def finishes(database_url: str) -> Iterator[dict[int, float]]:
    """Yields what grows meanwhile: the time at which the effect of each job was heard of, by the job's number."""
    heard: dict[int, float] = {}
    over = Event()
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute(TELL)
        listener.execute("LISTEN effects")
        thread = Thread(target=_listen, args=(listener, heard, over))
        thread.start()
        try:
            yield heard
        finally:
            over.set()
            thread.join()
            listener.execute("DROP FUNCTION tell CASCADE")


def _listen(listener: psycopg.Connection, heard: dict[int, float], over: Event) -> None:
    while not over.is_set():
        for notification in listener.notifies(timeout=0.1):
            heard[int(notification.payload)] = time()
