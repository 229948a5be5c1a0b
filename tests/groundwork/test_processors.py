"""How many children a worker starts, and how many requests compute at a time, in half a processor or on one of many."""

import subprocess
import sys
from pathlib import Path

import pytest

SIZE = """
import os, sys
from celery.utils import sysinfo
import app
from app.worker import celery
from groundwork.data.computing import at_a_time

sysinfo.available_cpu_count = lambda: 64
sysinfo.PROC_SELF_CGROUP, sysinfo.CGROUP_ROOT = sys.argv[1:]
print(celery.WorkController().concurrency, at_a_time())
"""


@pytest.mark.parametrize(("quota", "children"), [("50000 100000", 1), ("250000 100000", 3), ("max 100000", 64)])
def test_a_worker_has_a_child_for_each_processor_of_its_container(tmp_path: Path, quota: str, children: int) -> None:
    (tmp_path / "cgroup").write_text("0::/\n")
    (tmp_path / "cpu.max").write_text(f"{quota}\n")

    words = [sys.executable, "-c", SIZE, str(tmp_path / "cgroup"), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)

    # Requests that compute have a connection each: no more than the pool has.
    assert done.stdout.split() == [str(children), str(min(children, 10))], done.stderr
