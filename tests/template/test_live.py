"""A thousand sockets on one process, by the benchmark that measures them: it fails where one misses a change or sees another's."""

import os
import subprocess
import sys

import pytest
from conftest import present_or_skipped

from combinations import TEMPLATE
from run_folder import RunFolder
from services import url_of

pytestmark = pytest.mark.slow


def test_a_thousand_sockets_on_one_process_hear_what_is_theirs_and_hold_two_connections(
    run_folder: RunFolder,
) -> None:
    with present_or_skipped():
        url_of(run_folder, "redis")
        url_of(run_folder, "postgresql")
    words = [sys.executable, "benchmarks/live.py", "--sockets", "1000", "--changes", "3", "--rounds", "1"]
    environment = os.environ | {"PYTHONPATH": "tests/harness:tests/template:tests/chaos"}

    done = subprocess.run(words, cwd=TEMPLATE, env=environment, capture_output=True, text=True, timeout=900)

    assert done.returncode == 0, done.stderr[-5000:]
    cells = [cell.strip() for cell in done.stdout.splitlines()[-1].strip("| ").split("|")]
    sockets, connections = cells[0], cells[-1]
    assert (sockets, connections) == ("1000", "2")
