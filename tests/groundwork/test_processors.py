"""How many children a worker starts, and how many requests compute at a time, in half a processor or on one of many."""

import subprocess
import sys
from pathlib import Path

SIZE = """
import os, sys
from celery.utils import sysinfo
import app
from app.worker import celery
from groundwork.data.computing import at_a_time

sysinfo.available_cpu_count = lambda: 64
sysinfo.PROC_SELF_CGROUP, sysinfo.CGROUP_ROOT, *quotas = sys.argv[1:]
for quota in quotas:
    with open(f"{sysinfo.CGROUP_ROOT}/cpu.max", "w") as file:
        print(quota, file=file)
    print(celery.WorkController().concurrency, at_a_time())
"""


def test_a_worker_has_a_child_for_each_processor_of_its_container(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/\n")
    quotas = {"50000 100000": 1, "250000 100000": 3, "max 100000": 64}

    words = [sys.executable, "-c", SIZE, str(tmp_path / "cgroup"), str(tmp_path), *quotas]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)

    # Requests that compute have a connection each: no more than the pool has.
    expected = [f"{children} {min(children, 10)}" for children in quotas.values()]
    assert done.stdout.splitlines() == expected, done.stderr
