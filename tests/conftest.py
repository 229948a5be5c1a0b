"""One way to render, one way to run a command, and a summary that names what could not run."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest
from pytest_copie.plugin import Copie

from combinations import ASKED
from services import Missing, broker_url

Generate = Callable[..., Path]


@pytest.fixture
def generate(copie: Copie) -> Generate:
    """Render with these answers, defaults otherwise. A misspelt name would be ignored by Copier: here it is an error."""

    def render(**answers: str) -> Path:
        unknown = answers.keys() - ASKED.keys()
        assert not unknown, f"copier.yml asks no {unknown}"
        result = copie.copy(extra_answers=answers)
        assert result.exception is None, result.exception
        assert result.exit_code == 0
        assert result.project_dir is not None
        return Path(result.project_dir)

    return render


@pytest.fixture
def workplace() -> Iterator[Path]:
    """A folder that PostgreSQL can work in when root runs the tests: pytest keeps its own closed to other users."""
    folder = Path(mkdtemp(prefix="workplace-"))
    yield folder
    rmtree(folder, ignore_errors=True)


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """What the command printed; its whole output is the message when it fails."""
    clean = {
        name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
    }
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=clean | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    words = " ".join(str(word) for word in command)
    assert done.returncode == 0, f"{words} in {cwd} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


@pytest.fixture
def real_broker() -> Callable[[str], str]:
    """The broker's URL. Without one the check is skipped by name, or fails where CI=true promises all of them."""

    def url(broker: str) -> str:
        try:
            return broker_url(broker)
        except Missing as missing:
            if os.environ.get("CI") == "true":
                pytest.fail(f"CI=true, and {missing}")
            pytest.skip(f"could not run: {missing}")

    return url


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section("Checks that could not run here", yellow=True)
        for report in skipped:
            _, _, reason = report.longrepr
            terminalreporter.write_line(f"{report.nodeid.partition('::')[2]}: {reason.removeprefix('Skipped: ')}")
