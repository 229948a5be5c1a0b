"""Changes the progress of jobs as a worker does: reads a job and a number a line, and prints when the COMMIT began."""

import sys
from time import perf_counter

from sqlalchemy import update

from app.settings import get_settings
from groundwork.data import engine
from groundwork.jobs import Job


def main() -> None:
    # The settings are the app's.
    get_settings()
    for line in sys.stdin:
        job, number = line.split()
        seen = {"done": int(number), "total": 100_000, "note": ""}
        with engine().connect() as connection:
            connection.execute(update(Job).where(Job.id == job).values(progress=seen))
            began = perf_counter()
            connection.commit()
        # The clock of the whole machine.
        print(began, flush=True)


if __name__ == "__main__":
    main()
