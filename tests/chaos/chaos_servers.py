"""Faults of PostgreSQL and of the broker, and of the connections to them."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx2
import psutil
import psycopg
import redis
from kombu import Connection, Exchange, Queue

from chaos_program import frozen, stopped
from chaos_service import HISTORY, SIDE, Service

# Seconds. The load goes on meanwhile: these are how long a fault lasts, not waits for something to happen.
AWAY = 2
SILENT = 8
FROZEN = 10
CATCHING = 1
REFUSING = 6
READ_ONLY = 15
DISK_FULL = 10
STOPPED = 20
# Jobs.
CROWD = 40
# Bytes: as long as a segment of the database's log, and shorter than the table of jobs.
LARGEST_FILE = 1024**2


def database_restarted(service: Service) -> None:
    """Without a word to its clients: some commits are done, and nobody hears so."""
    service.database.tell(signal.SIGQUIT)
    service.database.await_end()
    time.sleep(AWAY)
    service.database.start()


def connections_cut(service: Service) -> None:
    with psycopg.connect(service.database_server.url, autocommit=True) as connection:
        for _ in range(3):
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            time.sleep(0.5)


def transaction_left_open(service: Service) -> None:
    """To the end of the run: meanwhile PostgreSQL keeps each version of each row. It has an id, as one that wrote has."""
    service.left_open = psycopg.connect(service.database_server.url)
    service.left_open.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    service.left_open.execute("SELECT pg_current_xact_id(), count(*) FROM jobs")


def read_only(service: Service) -> None:
    """As after a failover to a server that is not promoted yet."""
    with psycopg.connect(service.database_server.url, autocommit=True) as connection:
        try:
            connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            connection.execute("SELECT pg_reload_conf()")
            time.sleep(READ_ONLY)
        finally:
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")


def out_of_disk(service: Service) -> None:
    """The table of jobs cannot grow: somebody fills what room it has, and each further write fails.

    PostgreSQL takes the limit of a process for a full disk: it ignores the signal that comes with it, and reports
    "could not extend file". The limit spares the server's own processes, which would end it.
    """
    refused = 0
    _limit(service, str(LARGEST_FILE))
    try:
        full_until = time.monotonic() + DISK_FULL
        with psycopg.connect(service.database_server.url, autocommit=True) as connection:
            while time.monotonic() < full_until:
                try:
                    connection.execute(HISTORY, [100])
                except psycopg.Error:
                    refused += 1
                    time.sleep(0.1)
    finally:
        _limit(service, "unlimited")
    assert refused > DISK_FULL, "the table could grow"


def _limit(service: Service, size: str) -> None:
    """For new connections, and for those that are there; by the user of the processes, whom the kernel allows it."""
    main, *_ = service.database.family()
    for process in (main, *_backends(service)):
        words = ["prlimit", "--pid", str(process.pid), f"--fsize={size}:"]
        # It fails where the connection has been closed meanwhile.
        subprocess.run(words, user=service.database_server.user, cwd="/", stderr=subprocess.DEVNULL)


def connections_silent(service: Service) -> None:
    """All of a relay, and all of a process that works on a job, neither open for use nor closed; others go on."""
    publisher = service.publishers[0]
    _, busy = service.busy()
    with stopped(*_backends(service, busy, *publisher.family())):
        began = time.time()
        time.sleep(SILENT)
        ended = time.time()
    if service.relays:
        _others_went_on(service, began, ended)


def _backends(service: Service, *processes: psutil.Process, state: str = "idle%") -> list[psutil.Process]:
    """The processes of PostgreSQL that serve these, or all.

    None that executes a statement: stopped, it might hold what all others need for a moment.
    """
    ports = [connection.laddr.port for process in processes for connection in process.net_connections("tcp")]
    query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    if processes:
        rows = service.ledger.rows(f"{query} AND client_port = ANY(%s) AND state LIKE %s", ports, state)
    else:
        rows = service.ledger.rows(query)
    return [psutil.Process(pid) for (pid,) in rows if psutil.pid_exists(pid)]


def relay_frozen(service: Service) -> None:
    """In the middle of a transaction, if it has any that lasts."""
    relay = service.relays[0]
    deadline = time.monotonic() + CATCHING
    while True:
        with frozen(relay):
            if _backends(service, *relay.family(), state="idle in transaction") or time.monotonic() > deadline:
                began = time.time()
                time.sleep(SILENT)
                ended = time.time()
                break
    _others_went_on(service, began, ended)


def _others_went_on(service: Service, began: float, ended: float) -> None:
    asked, done = service.ledger.moved(began, ended)
    assert done > asked / 2, f"of {asked} jobs of others {done} were done in {ended - began:.0f} s"


def queue_refuses(service: Service) -> None:
    """A queue that takes no message, while many jobs are asked for that go there; those of other queues go on."""
    with _refusing(service):
        with httpx2.Client() as client:
            for _ in range(CROWD):
                with suppress(httpx2.HTTPError):
                    client.post(f"{service.url}/chaos/jobs", params={"seconds": 0, "queue": SIDE})
        began = time.time()
        time.sleep(REFUSING)
        ended = time.time()
    _others_went_on(service, began, ended)


@contextmanager
def _refusing(service: Service) -> Iterator[None]:
    assert service.broker_server is not None
    url = service.broker_server.url
    if url.startswith("redis"):
        with redis.Redis.from_url(url) as client:
            # Neither is a list, and what was in it is lost.
            client.set(SIDE, "not a list")
            yield
            client.delete(SIDE)
    else:
        with Connection(url) as connection, connection.channel() as channel:
            limits = {"x-max-length": 0, "x-overflow": "reject-publish"}
            queue = Queue(SIDE, Exchange(SIDE), SIDE, channel=channel, queue_arguments=limits)
            # Only this way: another kind of queue with that name is not declared over it.
            queue.delete()
            queue.queue_declare()
            queue.queue_bind()
            yield
            queue.delete()


def broker_stopped(service: Service) -> None:
    assert service.broker is not None
    began = time.monotonic()
    service.broker.tell(signal.SIGTERM)
    service.broker.await_end()
    time.sleep(max(0, began + STOPPED - time.monotonic()))
    service.broker.start()


def broker_frozen(service: Service) -> None:
    assert service.broker is not None
    with frozen(service.broker):
        time.sleep(FROZEN)


def broker_wiped(service: Service) -> None:
    assert service.broker is not None
    # So that it holds messages which nobody has taken.
    with frozen(*service.workers):
        time.sleep(AWAY)
        service.broker.end()
        service.wipe_broker()
    service.broker.start()
