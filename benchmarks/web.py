"""Requests of the service against bare FastAPI and SQLAlchemy, both colours: CPU, requests per second, start, memory.

`make bench-web`, or `make bench-web ARGS="--only async --rounds 3 --seconds 2"`; with `--beside 7fad5d0` that version of the
template takes part in the same rounds. One server process each, 16 connections that stay open.
"""

import os
from argparse import ArgumentParser, Namespace

import psycopg

from applications import BARE, Application, applications
from combinations import AXES
from entrants import checked_out
from missing import Missing
from processes import run_folder
from resident import resident
from suite import execute
from turns import CONNECTIONS, take_round
from web_report import requests_table, resident_table, starts_table

PACKAGES = ("fastapi", "uvicorn", "sqlalchemy", "psycopg", "asyncpg")


def main() -> None:
    wanted = _arguments()
    with run_folder() as run:
        beside = {version: checked_out(run, version) for version in wanted.beside}
        for colour in wanted.only or AXES["database"]:
            try:
                with applications(run, colour, beside) as everybody:
                    print(_conditions(everybody[0], wanted), flush=True)
                    memory = {each.name: resident(run, each) for each in everybody if each.name != BARE}
                    rounds = [take_round(run, everybody, number, wanted.seconds) for number in range(wanted.rounds)]
            except Missing as missing:
                print(f"{colour}: {missing}.")
                continue
            share = max(turn.share for turns in rounds for turn in turns.values())
            print(requests_table(colour, rounds), starts_table(rounds), resident_table(memory), sep="\n\n")
            print(f"\nThe clients took {100 * share:.0f} % of a core at most.\n", flush=True)


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=AXES["database"], action="append", help="one colour only")
    parser.add_argument("--beside", metavar="COMMIT_OR_PATH", action="append", default=[], help="another version too")
    parser.add_argument("--seconds", type=float, default=4, help="of each load")
    parser.add_argument("--rounds", type=int, default=7, help="each application takes one turn in each")
    return parser.parse_args()


def _conditions(application: Application, wanted: Namespace) -> str:
    service = application.service
    program = (
        "import platform; from importlib.metadata import version; print('Python ', platform.python_version(), "
        f"*(f', {{name}} {{version(name)}}' for name in {PACKAGES!r}), sep='', end='')"
    )
    versions = execute(service.program("python"), "-c", program, cwd=service.folder)
    with psycopg.connect(service.database_url) as connection:
        row = connection.execute("SELECT current_setting('server_version'), current_setting('fsync')").fetchone()
    assert row is not None
    return (
        f"{wanted.rounds} rounds of {wanted.seconds:g} s, {CONNECTIONS} connections, {os.cpu_count()} cores, "
        f"whose load was {os.getloadavg()[0]:.1f} before; {versions}; PostgreSQL {row[0]}, fsync {row[1]}.\n"
    )


if __name__ == "__main__":
    main()
