"""One way to render, selection by answer, and a summary that names what could not run."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import pytest
from pytest_copie.plugin import Copie

from combinations import ASKED, TEMPLATE, Answers, parse_only
from missing import Missing
from progress import Progress
from quick_copier import quick_copier
from run_folder import RunFolder, locked, sweep
from services import CLEANERS
from snapshot import snapshot

pytest_plugins = ["merging"]
Generate = Callable[..., Path]
# They run within renders: see tests/template/test_matrix.py.
collect_ignore = ["embedded", "groundwork", "providers"]
RUN = pytest.StashKey[RunFolder]()
ONLY = pytest.StashKey[Answers]()
# Marks of tests that take long, those that begin first: what waits most of the time, and at last what computes.
LONG = (("waits",), ("chaos",), ("matrix", "first"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--only", default="", help="combinations with these answers only: broker=redis,database=sync")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    try:
        config.stash[ONLY] = parse_only(config.getoption("--only"))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    worker = getattr(config, "workerinput", None)
    if worker:
        run = RunFolder(Path(worker["run_folder"]))
    else:
        for folder in sweep(CLEANERS):
            print(f"Cleaned up after a run that was killed: {folder}")
        run = RunFolder.make()
        snapshot(TEMPLATE, run.path / "template")
        config.pluginmanager.register(Progress(config.pluginmanager.getplugin("terminalreporter")), "progress")
    config.stash[RUN] = run
    # All renders start from the one state of the template that this run began with.
    config.option.template = str(run.path / "template")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["run_folder"] = str(node.config.stash[RUN].path)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and RUN in config.stash:
        config.stash[RUN].remove(CLEANERS)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`--only` keeps the tests of the combinations that it names, and no others; processes share them out."""
    only = config.stash[ONLY]

    def meant(item: pytest.Item) -> bool:
        answers = item.callspec.params.get("answers") if hasattr(item, "callspec") else None
        return answers is not None and only.items() <= answers.items()

    if only:
        config.hook.pytest_deselected(items=[item for item in items if not meant(item)])
        items[:] = [item for item in items if meant(item)]
    if hasattr(config, "workerinput"):
        items[:] = shared_out(items, config.workerinput["workercount"])


def shared_out(items: list[pytest.Item], processes: int) -> list[pytest.Item]:
    """What waits most of the time begins in one half of the processes, and what computes all the time in the other.

    Side by side they leave no processor idle. xdist gives each process an equal part in a row, whose end others take over
    when they have nothing to do: so each part ends with short tests.
    """
    long: list[list[pytest.Item]] = [[] for _ in LONG]
    short: list[pytest.Item] = []
    for item in items:
        kinds = [number for number, names in enumerate(LONG) if any(map(item.get_closest_marker, names))]
        (long[kinds[0]] if kinds else short).append(item)
    *waiting, computing = long
    half = max(1, processes // 2)
    begins = [list(chain(*waiting))[number::half] for number in range(half)]
    begins += [computing[number :: processes - half] for number in range(processes - half)]
    if processes == 1:
        begins[0] += computing
    ordered: list[pytest.Item] = []
    for part, begin in enumerate(begins):
        size = (len(items) - len(ordered)) // (processes - part)
        # What is too much for this part comes first in the next one.
        short = [*begin[size:], *short]
        filled = size - len(begin[:size])
        ordered += [*begin[:size], *short[:filled]]
        short = short[filled:]
    return [*ordered, *short]


@pytest.fixture(scope="session")
def run_folder(pytestconfig: pytest.Config) -> RunFolder:
    return pytestconfig.stash[RUN]


@pytest.fixture(scope="session", autouse=True)
def quickly(run_folder: RunFolder) -> Iterator[None]:
    with quick_copier(run_folder.memory()):
        yield


@pytest.fixture
def tmp_path(run_folder: RunFolder) -> Iterator[Path]:
    """Hundreds of services are rendered and forgotten: pytest's own would keep them all, on the disk."""
    with TemporaryDirectory(dir=run_folder.memory(), ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def generate(copie: Copie, run_folder: RunFolder, tmp_path: Path) -> Generate:
    """Render with these answers, defaults otherwise; a copy of the render that the run has already, if it has one.

    A misspelt name would be ignored by Copier: here it is an error.
    """

    def render(**answers: str) -> Path:
        unknown = answers.keys() - ASKED.keys()
        assert not unknown, f"copier.yml asks no {unknown}"
        name = "render-" + sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()[:16]
        kept = run_folder.path / name
        with locked(run_folder.path / f"{name}.lock"):
            if not kept.exists():
                result = copie.copy(extra_answers=answers)
                assert result.exception is None, result.exception
                assert result.exit_code == 0
                assert result.project_dir is not None
                shutil.move(result.project_dir, kept)
        project = Path(mkdtemp(dir=tmp_path)) / "project"
        shutil.copytree(kept, project)
        return project

    return render


@pytest.fixture
def workplace() -> Iterator[Path]:
    """A folder that PostgreSQL can work in when root runs the tests: pytest keeps its own closed to other users."""
    folder = Path(mkdtemp(prefix="workplace-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def present_or_skipped() -> Iterator[None]:
    """Without its service a check is skipped by name, or fails where CI=true promises all of them."""
    try:
        yield
    except Missing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI=true, and {missing}")
        pytest.skip(f"could not run: {missing}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section("Checks that could not run here", yellow=True)
        for report in skipped:
            _, _, reason = report.longrepr
            terminalreporter.write_line(f"{report.nodeid.partition('::')[2]}: {reason.removeprefix('Skipped: ')}")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Suites and chaos wait for much of the time; each suite needs one of Redis's sixteen databases."""
    return max(1, min(2 * (os.cpu_count() or 1), 12))
