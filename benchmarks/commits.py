"""Jobs per second with one job a commit, with and without the triggers of the jobs table, for several numbers of clients.

`make bench-commits`, or `make bench-commits ARGS="--beside b3b3e78 --clients 32 --seconds 2 --rounds 1"`. pgbench runs the
clients, on a private PostgreSQL server with `fsync` on.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psycopg

from combinations import TEMPLATE
from contenders import OURS
from entrants import checked_out
from missing import Missing
from pgbench import Pgbench, private_server
from processes import run_folder, started
from run_folder import RunFolder
from service import Service, rendered, variables
from services import namespace
from suite import execute

DISKS = {
    "the machine's disk": "",
    # The backend that flushes the log sleeps 2 ms before it, and holds the lock for writing the log meanwhile. So a commit takes
    # as long as on such a disk, and keeps its other locks as long, the one of NOTIFY among them. Unlike on such a disk, commits
    # that arrive during the sleep share the flush; a real fsync makes them wait for the next one. Commits without NOTIFY are
    # therefore faster here than on a real disk, and the ratios are lower.
    "a flush takes 2 ms longer": "-c commit_delay=2000 -c commit_siblings=0",
}
NO_TRIGGERS = "without triggers"
JOB = """
    INSERT INTO jobs (id, task, arguments, status, attempts, crashes, history, owner_id)
    VALUES (gen_random_uuid(), 'durable.insert', '{{"number": -1}}', 'queued', 0, 0, '[]', {owner});
"""
OWNER = "00000000-0000-7000-8000-000000000001"
USER = f"""
    INSERT INTO users (id, email, password_hash, admin, verified_at)
    VALUES ('{OWNER}', 'a@example.org', 'x', false, now())
"""


@dataclass(frozen=True)
class Variant:
    """A database with the tables of one version."""

    name: str
    service: Service


def main() -> None:
    wanted = _arguments()
    try:
        with run_folder() as run, _variants(run, wanted) as (pgbench, variants):
            rates = _rounds(run, pgbench, variants, wanted)
            print(_table(pgbench, variants, rates, wanted))
    except Missing as missing:
        print(f"Skipped: {missing}.")


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--beside", metavar="COMMIT_OR_PATH", action="append", default=[], help="another version too")
    parser.add_argument("--clients", type=int, action="append", help="so many at once; may be given again")
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--owner", action="store_true", help="each job has an owner, as those of web requests have")
    parser.add_argument("--relay", action="store_true", help="each version's relay runs meanwhile, and publishes")
    wanted = parser.parse_args()
    wanted.clients = wanted.clients or [8, 32, 64]
    return wanted


@contextmanager
def _variants(run: RunFolder, wanted: Namespace) -> Iterator[tuple[Pgbench, list[Variant]]]:
    """Raises Missing."""
    pgbench = private_server(run)
    with ExitStack() as ends:
        broker = ends.enter_context(namespace(run, "redis")) if wanted.relay else "redis://127.0.0.1:1/0"
        templates = {"the working tree": TEMPLATE} | {name: checked_out(run, name) for name in wanted.beside}
        folders = {template: rendered(run, "redis", template) for template in templates.values()}
        variants: list[Variant] = []
        for name, template in ({NO_TRIGGERS: TEMPLATE} | templates).items():
            url = pgbench.database(f"variant_{len(variants)}")
            service = Service(folders[template], variables(url, broker, template / "benchmarks/work"))
            execute(service.program("app"), "migrate", cwd=service.folder, **service.variables)
            with psycopg.connect(url) as connection:
                connection.execute(USER.encode())
                if name == NO_TRIGGERS:
                    connection.execute("ALTER TABLE jobs DISABLE TRIGGER USER")
            variants.append(Variant(name, service))
        yield pgbench, variants


Rates = dict[tuple[str, int, str], list[float]]


def _rounds(run: RunFolder, pgbench: Pgbench, variants: list[Variant], wanted: Namespace) -> Rates:
    """Jobs per second by disk, clients and variant, a figure for each round; each round begins with another variant."""
    rates: Rates = {}
    with TemporaryDirectory() as folder:
        script = Path(folder) / "job.sql"
        script.write_text(" ".join(JOB.format(owner=f"'{OWNER}'" if wanted.owner else "NULL").split()))
        for number in range(wanted.rounds):
            turn = number % len(variants)
            for disk, options in DISKS.items():
                for clients in wanted.clients:
                    for variant in variants[turn:] + variants[:turn]:
                        with _ready(run, variant, wanted):
                            rate = pgbench.rate(variant.service.database_url, script, clients, wanted.seconds, options)
                        rates.setdefault((disk, clients, variant.name), []).append(rate)
    return rates


@contextmanager
def _ready(run: RunFolder, variant: Variant, wanted: Namespace) -> Iterator[None]:
    """An empty table, no work left over for the server's disk, and a relay where one is wanted."""
    with psycopg.connect(variant.service.database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE jobs")
        connection.execute("CHECKPOINT")
    with ExitStack() as ends:
        if wanted.relay:
            relay = OURS[0].programs[-1]
            environment = variant.service.environment("durable")
            ends.enter_context(started(run, variant.service, relay, run.path / "relay.log", environment))
        yield


def _table(pgbench: Pgbench, variants: list[Variant], rates: Rates, wanted: Namespace) -> str:
    names = [variant.name for variant in variants]
    others = [name for name in names if name != NO_TRIGGERS]
    lines = [
        f"Jobs per second, one a commit{' with an owner' if wanted.owner else ''}{', a relay beside' if wanted.relay else ''};",
        f"medians of {wanted.rounds} rounds of {wanted.seconds} s, and of the ratios within each; {pgbench.version}.",
        "",
        f"| disk | clients | {' | '.join(names)} | {' | '.join(f'{name} / {NO_TRIGGERS}' for name in others)} |",
        f"|---|{'---|' * (1 + len(names) + len(others))}",
    ]
    for disk in DISKS:
        for clients in wanted.clients:
            measured = {name: rates[disk, clients, name] for name in names}
            bare = measured[NO_TRIGGERS]
            cells = [f"{median(measured[name]):.0f}" for name in names]
            for name in others:
                ratios = [rate / base for rate, base in zip(measured[name], bare, strict=True)]
                cells.append(f"{median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")
            lines.append(f"| {disk} | {clients} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
