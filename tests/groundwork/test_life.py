"""Signs of life, and what the probes say by them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import run

from app.worker import celery
from groundwork.life import Life, lives
from groundwork.settings import get_settings
from groundwork.testing import Worker, until


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where signs are left in this test."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks a worker gets no answer."""
    nobody = celery.control.inspect(["nobody@nowhere"], timeout=0.2, limit=1)
    monkeypatch.setattr(celery.control, "inspect", lambda *_, **__: nobody)


def probe(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "groundwork.probe", *words], capture_output=True, text=True)


def test_a_fresh_sign_is_believed_and_an_old_one_is_not(folder: Path) -> None:
    Life("worker", "a@b").show()
    (sign,) = folder.iterdir()

    assert lives("worker", "a@b")
    assert not lives("worker", "another@b")
    assert not lives("relay", "a@b")
    assert sign.stat().st_mode & 0o777 == 0o600
    os.utime(sign, (sign.stat().st_atime, sign.stat().st_mtime - 60))
    assert not lives("worker", "a@b")


def test_a_sign_that_was_taken_away_is_gone(folder: Path) -> None:
    Life("relay").show()
    Life("relay").end()

    assert list(folder.iterdir()) == []
    assert not lives("relay")


def test_the_sign_of_a_process_that_has_died_is_not_believed(folder: Path) -> None:
    words = "from groundwork.life import Life; Life('relay').show()"
    subprocess.run([sys.executable, "-c", words], check=True)

    assert len(list(folder.iterdir())) == 1
    assert not lives("relay")


def test_another_service_of_this_machine_has_signs_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Life("relay").show()
    monkeypatch.setenv("BROKER_URL", "redis://elsewhere/0")

    assert not lives("relay")


@pytest.mark.parametrize("theirs", ["a link", "a pipe"])
def test_what_others_put_there_is_neither_followed_nor_believed(folder: Path, theirs: str) -> None:
    Life("relay").show()
    (sign,) = folder.iterdir()
    kept = folder / "kept"
    sign.rename(kept)
    before = kept.stat().st_mtime_ns, kept.read_bytes()
    if theirs == "a link":
        sign.symlink_to(kept)
    else:
        os.mkfifo(sign)

    Life("relay").show()

    assert not lives("relay")
    assert (kept.stat().st_mtime_ns, kept.read_bytes()) == before


def test_where_nothing_can_be_written_there_is_no_sign_and_the_probe_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)

    Life("relay").show()

    assert not lives("relay")
    assert "No relay has run yet" in run("health", "relay")[1]


def test_a_probe_of_what_has_left_no_sign_asks_and_tells(folder: Path) -> None:
    asked = probe("relay")

    assert asked.returncode == 1
    assert "No relay has run yet" in asked.stderr
    assert probe("nothing").returncode != 0


@pytest.mark.usefixtures("nobody_to_ask")
def test_a_worker_that_works_is_seen_and_not_asked(worker: Worker) -> None:
    until(lambda: " ready." in worker.log.read_text(), seconds=60)
    memory = get_settings().in_memory_broker

    # The worker of memory:// has a relay in it, which answers for it, and leaves a sign for itself.
    until(lambda: lives("relay") if memory else lives("worker", worker.name))
    assert run("health", "worker", "--name", worker.name)[0] == 0
    assert probe("relay").returncode == 0
    assert memory or probe("worker", "--name", worker.name).returncode == 0


def test_a_worker_that_has_stopped_is_not_seen(worker_to_stop: Worker) -> None:
    until(lambda: " ready." in worker_to_stop.log.read_text(), seconds=60)

    worker_to_stop.stop()

    assert not lives("worker", worker_to_stop.name)
