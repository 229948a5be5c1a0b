"""`python -m groundwork.probe worker`: what `app health worker` says, for less; also for `relay`.

Container platforms ask often, so where the process has left a sign of its life nothing else is loaded. Where it has not,
`app health` asks the broker or the database, and tells.
"""

import os
import sys
from pathlib import Path

from groundwork.life import lives

__all__: list[str] = []

if __name__ == "__main__":
    match sys.argv[1:]:
        case ["worker", "--name", name]:
            seen = lives("worker", name)
        case [part]:
            seen = lives(part)
        case _:
            seen = False
    if not seen:
        program = str(Path(sys.executable).with_name("app"))
        # In place of this process, as the platform ends the one that it started when time is up.
        os.execv(program, [program, "health", *sys.argv[1:]])  # noqa: S606 # No shell reads these words, which is safer.
