"""Faults hit a service under load: each accepted job has its effect exactly once; by plain `.delay()` some have none."""

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path

import pytest
from conftest import Generate, present_or_skipped

import chaos_faults
from chaos_clients import Clients
from chaos_faults import Fault
from chaos_program import until
from chaos_report import Report, evidence
from chaos_service import HOUR, PLAIN_WORKER, SIDE, Service, installed
from combinations import AXES
from run_folder import RunFolder

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

JOBS = 1000
PER_SECOND = 10
# One job in ten takes as long as a fault needs to hit it, and one in thirty breaks a rule.
ASKED = [{"seconds": 0.3 * (number % 10 == 0), "breaks": int(number % 30 == 14)} for number in range(30)]
# One in ten goes to the queue that will refuse it.
ASKED_ASIDE = [parameters | ({"queue": SIDE} if number % 10 == 5 else {}) for number, parameters in enumerate(ASKED)]
# After the last fault, until the last job is finished: the longest that a retry may wait.
PATIENCE = 150
# They wait most of the time: each takes about a third of a processor.
AT_ONCE = 4


@pytest.fixture(autouse=True)
def _few_at_a_time(run_folder: RunFolder) -> Iterator[None]:
    """Each has a dozen processes; more than AT_ONCE would measure the machine."""
    slots = [os.open(run_folder.path / f"chaos-{n}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC) for n in range(AT_ONCE)]
    try:
        until(lambda: any(map(_taken, slots)), "others end", 1800)
        yield
    finally:
        for slot in slots:
            os.close(slot)


def _taken(slot: int) -> bool:
    try:
        fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


Show = Callable[[str], None]


@pytest.fixture
def show(capfd: pytest.CaptureFixture[str]) -> Show:
    """Also when the test passes."""

    def write(table: str) -> None:
        with capfd.disabled():
            # xdist has no use for what its workers write to stdout.
            print(f"\n{table}", file=sys.stderr, flush=True)

    return write


def assert_each_once(service: Service, report: Report, faults: tuple[Fault, ...], clients: Clients, show: Show) -> None:
    """Of what was accepted, and of jobs whose reply was lost."""
    trouble = []
    try:
        with clients.asking():
            report.hit(faults, service, clients)
            clients.finish()
        until(partial(_all_finished, service), "all jobs are finished", PATIENCE)
        assert service.is_left_open(), "somebody has closed the transaction that was left open"
    except AssertionError as error:
        trouble.append(str(error))
    account = service.ledger.account(clients.accepted)
    show(report.table(account, service, clients))
    wrong = {"lost": account.lost, "doubled": account.doubled, "broke a rule, and did not fail for it": account.kept}
    for name, ids in wrong.items():
        if ids:
            trouble.append(f"{name}: {', '.join(map(str, ids))}")
    if account.accepted < JOBS or account.effects != account.succeeded or not account.broke:
        trouble.append(str(account))
    if trouble:
        print(evidence(service, [*account.lost, *account.doubled, *account.kept]))
        pytest.fail("\n".join(trouble), pytrace=False)


def _all_finished(service: Service) -> bool:
    service.restart_ended()
    return service.ledger.all_finished()


@pytest.mark.first
@pytest.mark.parametrize(("broker", "database"), list(product(AXES["broker"], AXES["database"])))
def test_each_accepted_job_has_its_effect_once(
    generate: Generate, run_folder: RunFolder, workplace: Path, show: Show, broker: str, database: str
) -> None:
    report = Report(f"{broker} · {database}")
    render = generate(broker=broker, database=database)
    with present_or_skipped(), installed(run_folder, render, workplace, broker=broker, database=database) as service:
        skewed = (service.worker(clock_skew=HOUR), service.worker(clock_skew=-HOUR))
        for program in (service.relay(), *skewed, service.worker("-Q", SIDE)):
            program.start()
        service.api.start()
        clients = Clients(f"{service.url}/chaos/jobs", JOBS, PER_SECOND, ASKED_ASIDE)

        assert_each_once(service, report, chaos_faults.ALL, clients, show)


@pytest.mark.parametrize("database", AXES["database"])
def test_so_it_has_where_the_worker_feeds_itself(
    generate: Generate, run_folder: RunFolder, workplace: Path, show: Show, database: str
) -> None:
    report = Report(f"embedded · {database}")
    render = generate(database=database)
    with present_or_skipped(), installed(run_folder, render, workplace, broker=None, database=database) as service:
        service.worker(clock_skew=HOUR).start()
        service.api.start()
        clients = Clients(f"{service.url}/chaos/jobs", JOBS, PER_SECOND, ASKED)

        assert_each_once(service, report, chaos_faults.EMBEDDED, clients, show)


@pytest.mark.parametrize("broker", AXES["broker"])
def test_the_control_loses_jobs(
    generate: Generate, run_folder: RunFolder, workplace: Path, show: Show, broker: str
) -> None:
    """Plain `.delay()` with Celery's defaults: the same suite sees what is lost."""
    report = Report(f"control: plain .delay() · {broker}")
    render = generate(broker=broker)
    with present_or_skipped(), installed(run_folder, render, workplace, broker=broker, database="async") as service:
        for _ in range(2):
            service.worker(words=PLAIN_WORKER).start()
        service.api.start()
        # As many as the workers manage, so that there is always something to lose.
        clients = Clients(f"{service.url}/chaos/plain", 300, 20, [{"seconds": 0.2}])
        with clients.asking():
            report.hit(chaos_faults.CONTROL, service, clients)
            clients.finish()
        until(service.ledger.quiet, "no more effects", PATIENCE)
        account = service.ledger.plain_account(clients.accepted)
        show(report.table(account, service, clients))

        assert account.lost, evidence(service, [])
