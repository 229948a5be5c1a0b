"""What hits the service: one function for each fault, which returns when what it broke is whole again."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import psutil
import psycopg

from chaos_program import Program, frozen, until
from chaos_service import Service

# How many jobs lie around when a fault needs some that do.
SOME = 12
# Seconds. The load goes on meanwhile: these are how long a fault lasts, not waits for something to happen.
UNDER_LOAD = 4
PAST_THE_LEASE = 4
AWAY = 2
FROZEN = 10
STOPPED = 20


@dataclass(frozen=True)
class Fault:
    name: str
    hit: Callable[[Service], None]


def wrong_clocks(service: Service) -> None:
    """The service began with workers whose clocks are wrong, one hour ahead and one hour behind, and no others."""
    time.sleep(UNDER_LOAD)


def everything_twice(service: Service) -> None:
    for program in (service.relay(), service.worker(), service.worker()):
        program.start()
    time.sleep(UNDER_LOAD)


def worker_killed(service: Service) -> None:
    worker, _ = _busy(service)
    worker.kill()
    worker.start()


def child_killed(service: Service) -> None:
    """Again, until one was in the middle of a job."""

    def cut_off() -> bool:
        _, child = _busy(service)
        jobs = [job for job, pid in service.ledger.running() if pid == child.pid]
        child.kill()
        return any(service.ledger.is_running(job) for job in jobs)

    until(cut_off, "a child died in mid-job", seconds=60)


def _busy(service: Service) -> tuple[Program, psutil.Process]:
    """A worker, and its process that works on a job at this moment."""

    def found() -> tuple[Program, psutil.Process] | None:
        pids = [pid for _, pid in service.ledger.running()]
        for worker in service.workers:
            for process in worker.family():
                if process.pid in pids:
                    return worker, process
        return None

    return until(found, "a worker is busy")


def plain_worker_killed(service: Service) -> None:
    """With messages in its hands: clients ask for as much as the workers manage."""
    until(lambda: len(service.ledger.effects()) >= SOME, "the workers work")
    service.workers[0].kill()
    service.workers[0].start()


def api_killed(service: Service) -> None:
    """Between commit and publish: nobody publishes until the API is dead."""
    with frozen(*service.publishers):
        _waiting(service)
        service.api.kill()
        service.api.start()


def delivered_five_times(service: Service) -> None:
    with frozen(*service.relays):
        service.execute("-m", "app.chaos.deliver", "5", *map(str, _waiting(service)))


def _waiting(service: Service) -> list[UUID]:
    """Some new jobs, committed and not published. Older ones stay as they are: what was lost is not to be rescued here."""
    began = time.time()

    def found() -> list[UUID] | None:
        jobs = service.ledger.queued(began)
        return jobs if len(jobs) >= SOME else None

    return until(found, "jobs wait")


def worker_frozen(service: Service) -> None:
    """Past its lease, so that two work on one job, and the first to begin is the last to end."""
    worker, _ = _busy(service)
    with frozen(worker):
        time.sleep(PAST_THE_LEASE)


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


def terminated(service: Service) -> None:
    """As an orchestrator rolls out a release; others go on."""
    some = [service.api, *service.relays[:1], *service.workers[-2:]]
    for program in some:
        program.tell(signal.SIGTERM)
    for program in some:
        program.await_end()
        program.start()


WORKER_KILLED = "worker parent kill -9"
WIPED = "broker killed, all data deleted"
EMBEDDED = (
    Fault("clock skew of an hour", wrong_clocks),
    Fault("PostgreSQL restarted", database_restarted),
    Fault("database connections cut", connections_cut),
    Fault(WORKER_KILLED, worker_killed),
    Fault("API kill -9 between commit and publish", api_killed),
    Fault("SIGTERM in mid-load", terminated),
)
# The broker's long absence last: it would delay what recovers from the others.
ALL = (
    Fault("clock skew of an hour", wrong_clocks),
    Fault("two relays and four workers", everything_twice),
    Fault("PostgreSQL restarted", database_restarted),
    Fault("database connections cut", connections_cut),
    Fault(WIPED, broker_wiped),
    Fault(WORKER_KILLED, worker_killed),
    Fault("worker child kill -9 in mid-job", child_killed),
    Fault("API kill -9 between commit and publish", api_killed),
    Fault("same message delivered five times", delivered_five_times),
    Fault("worker frozen past its lease", worker_frozen),
    Fault("broker frozen for 10 s", broker_frozen),
    Fault("SIGTERM in mid-load", terminated),
    Fault("broker stopped for 20 s", broker_stopped),
)
CONTROL = (Fault(WORKER_KILLED, plain_worker_killed), Fault(WIPED, broker_wiped))
