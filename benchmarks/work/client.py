"""Enqueues jobs one at a time, as a client of the service does, at a steady pace or one after the other, and prints when."""

import json
import sys
from importlib import import_module
from random import Random
from time import sleep, time


def main(contender: str, jobs: int, pause: float) -> None:
    submit = import_module(contender).submit
    # A job that nobody counts: the connections are open before the clock starts.
    submit(-1)
    # The same for everybody: a strict beat would meet a contender's own pauses always at the same moment, or never.
    chance = Random(0)
    asked_at = []
    began_at = time()
    for number in range(jobs):
        sleep(max(0, began_at + (number + chance.random()) * pause - time()))
        asked_at.append(submit(number))
    print(json.dumps({"began_at": began_at, "ended_at": time(), "asked_at": asked_at}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
