"""What hits the service: one function for each fault, which returns when what it broke is whole again."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from shutil import which
from uuid import UUID

import chaos_servers as servers
from chaos_deploy import rolling_deploy
from chaos_program import frozen, until
from chaos_service import Service

# How many jobs lie around when a fault needs some that do.
SOME = 12
# Seconds. The load goes on meanwhile: these are how long a fault lasts, not waits for something to happen.
UNDER_LOAD = 4
PAST_THE_LEASE = 4


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
    worker, _ = service.busy()
    worker.kill()
    worker.start()


def child_killed(service: Service) -> None:
    """Again, until one was in the middle of a job."""

    def cut_off() -> bool:
        _, child = service.busy()
        jobs = [job for job, pid in service.ledger.running() if pid == child.pid]
        child.kill()
        return any(service.ledger.is_running(job) for job in jobs)

    until(cut_off, "a child died in mid-job", seconds=60)


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
    worker, _ = service.busy()
    with frozen(worker):
        time.sleep(PAST_THE_LEASE)


WORKER_KILLED = "worker parent kill -9"
WIPED = "broker killed, all data deleted"
# The limit of a process that runs is for Linux alone to change.
DISK = (Fault("PostgreSQL out of disk for 10 s", servers.out_of_disk),) if which("prlimit") else ()
EMBEDDED = (
    Fault("clock skew of an hour", wrong_clocks),
    Fault("PostgreSQL restarted", servers.database_restarted),
    Fault("database connections cut", servers.connections_cut),
    Fault("a transaction left open to the end", servers.transaction_left_open),
    Fault("rolling deploy, arguments change", rolling_deploy),
    Fault("silent connections for 8 s", servers.connections_silent),
    Fault(WORKER_KILLED, worker_killed),
    Fault("API kill -9 between commit and publish", api_killed),
    Fault("PostgreSQL read-only for 15 s", servers.read_only),
    *DISK,
)
# The deploy early: what waits for another release does so for a minute. The broker's long absence last: it would delay
# what recovers from the others.
ALL = (
    Fault("clock skew of an hour", wrong_clocks),
    Fault("two relays and four workers", everything_twice),
    Fault("PostgreSQL restarted", servers.database_restarted),
    Fault("database connections cut", servers.connections_cut),
    Fault("a transaction left open to the end", servers.transaction_left_open),
    Fault("rolling deploy, arguments change", rolling_deploy),
    Fault("relay frozen for 8 s", servers.relay_frozen),
    Fault("silent connections for 8 s", servers.connections_silent),
    Fault("a queue that refuses for 6 s", servers.queue_refuses),
    Fault(WIPED, servers.broker_wiped),
    Fault(WORKER_KILLED, worker_killed),
    Fault("worker child kill -9 in mid-job", child_killed),
    Fault("API kill -9 between commit and publish", api_killed),
    Fault("same message delivered five times", delivered_five_times),
    Fault("worker frozen past its lease", worker_frozen),
    Fault("PostgreSQL read-only for 15 s", servers.read_only),
    *DISK,
    Fault("broker frozen for 10 s", servers.broker_frozen),
    Fault("broker stopped for 20 s", servers.broker_stopped),
)
CONTROL = (Fault(WORKER_KILLED, plain_worker_killed), Fault(WIPED, servers.broker_wiped))
