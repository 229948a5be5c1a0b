"""Durable jobs against plain Celery and other job queues: the same work, in turns, on the same services.

`make bench`, or `make bench ARGS="--broker rabbitmq --jobs 500 --rounds 1"`; with `--beside b3b3e78` that version of the
template takes part in the same rounds.
"""

from argparse import ArgumentParser, Namespace

import psycopg

from combinations import AXES
from contenders import OURS, PROCESSES
from entrants import Entrant, checked_out, installed_rivals, of_the_template
from measure import Turn, Wanted, take_turn
from missing import Missing
from processes import run_folder
from report import table
from run_folder import RunFolder


def main() -> None:
    wanted = _arguments()
    with run_folder() as run, installed_rivals(run, wanted.only) as rivals:
        beside = {version: checked_out(run, version) for version in wanted.beside}
        for broker in wanted.broker or AXES["broker"]:
            try:
                with of_the_template(run, broker, beside) as own:
                    entrants = [one for one in own if one.contender in OURS or _among(wanted.only, one.name)] + rivals
                    print(_conditions(entrants, wanted), flush=True)
                    rounds = _rounds(run, entrants, wanted)
                    # Whoever failed in a round is in no table.
                    whole = [one for one in entrants if all(one.name in turns for turns in rounds)]
                    print(table(broker, whole, rounds), end="\n\n", flush=True)
            except Missing as missing:
                print(f"{broker}: {missing}.")


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--broker", choices=AXES["broker"], action="append", help="one of them only")
    parser.add_argument("--beside", metavar="COMMIT_OR_PATH", action="append", default=[], help="another version too")
    parser.add_argument("--only", metavar="WORD", action="append", default=[], help="of the others those of this name")
    parser.add_argument("--jobs", type=int, default=2000, help="in each measurement of jobs per second")
    parser.add_argument("--paced-jobs", type=int, default=200, help="whose latency is measured at a steady pace")
    parser.add_argument("--idle-jobs", type=int, default=50, help="whose latency is measured, one at a time")
    parser.add_argument("--rounds", type=int, default=3, help="each contender takes one turn in each")
    return parser.parse_args()


def _among(words: list[str], name: str) -> bool:
    """Without words everybody."""
    return not words or any(word in name for word in words)


def _rounds(run: RunFolder, entrants: list[Entrant], wanted: Namespace) -> list[dict[str, Turn]]:
    """The order is reversed from round to round, so that nobody always comes first."""
    numbers = Wanted(wanted.jobs, wanted.paced_jobs, wanted.idle_jobs)
    rounds = []
    for number in range(wanted.rounds):
        turns = {}
        for entrant in entrants if number % 2 == 0 else entrants[::-1]:
            try:
                turns[entrant.name] = take_turn(run, entrant, numbers)
            except (TimeoutError, RuntimeError) as failure:
                if entrant.contender in OURS:
                    raise
                print(f"{entrant.name} failed in round {number + 1}: {failure}", flush=True)
        rounds.append(turns)
    return rounds


def _conditions(entrants: list[Entrant], wanted: Namespace) -> str:
    with psycopg.connect(entrants[0].service.database_url) as connection:
        row = connection.execute("SELECT current_setting('server_version'), current_setting('fsync')").fetchone()
    assert row is not None
    return (
        f"{wanted.jobs} jobs of one INSERT each, {PROCESSES} worker processes, {wanted.rounds} rounds; "
        f"PostgreSQL {row[0]}, fsync {row[1]}.\n"
    )


if __name__ == "__main__":
    main()
