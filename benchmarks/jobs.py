"""Durable jobs against plain Celery and procrastinate: the same work, in turns, on the same services.

`make bench`, or `make bench ARGS="--broker rabbitmq --jobs 500 --rounds 1"`.
"""

from argparse import ArgumentParser, Namespace

import psycopg

from combinations import AXES
from contenders import CONTENDERS, PROCESSES
from measure import Turn, take_turn
from missing import Missing
from processes import run_folder
from report import table
from run_folder import RunFolder
from service import Service, served


def main() -> None:
    wanted = _arguments()
    with run_folder() as run:
        for broker in wanted.broker or AXES["broker"]:
            try:
                with served(run, broker) as service:
                    print(_conditions(service, wanted), flush=True)
                    print(table(broker, _rounds(run, service, wanted)), end="\n\n", flush=True)
            except Missing as missing:
                print(f"{broker}: {missing}.")


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--broker", choices=AXES["broker"], action="append", help="one of them only")
    parser.add_argument("--jobs", type=int, default=2000, help="in each measurement")
    parser.add_argument("--idle-jobs", type=int, default=200, help="whose latency is measured, one at a time")
    parser.add_argument("--rounds", type=int, default=3, help="each contender takes one turn in each")
    return parser.parse_args()


def _rounds(run: RunFolder, service: Service, wanted: Namespace) -> list[dict[str, Turn]]:
    """The order is reversed from round to round, so that nobody always comes first."""
    rounds = []
    for number in range(wanted.rounds):
        turns = {}
        for contender in CONTENDERS if number % 2 == 0 else reversed(CONTENDERS):
            turns[contender.name] = take_turn(run, service, contender, wanted.jobs, wanted.idle_jobs)
        rounds.append({contender.name: turns[contender.name] for contender in CONTENDERS})
    return rounds


def _conditions(service: Service, wanted: Namespace) -> str:
    with psycopg.connect(service.database_url) as connection:
        row = connection.execute("SELECT current_setting('server_version'), current_setting('fsync')").fetchone()
    assert row is not None
    return (
        f"{wanted.jobs} jobs of one INSERT each, {PROCESSES} worker processes, {wanted.rounds} rounds; "
        f"PostgreSQL {row[0]}, fsync {row[1]}.\n"
    )


if __name__ == "__main__":
    main()
