"""Runs what a rendered project's own CI runs, in a place whose environment and type cache stay from one to the next."""

import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from tempfile import gettempdir

import yaml

from combinations import TEMPLATE, Answers, as_only, label
from run_folder import RunFolder, locked
from services import database, namespace

UV = Path(shutil.which("uv") or TEMPLATE / ".tools/bin/uv")
PROVIDER_FILES = {
    "api.py": "provider_api.py",
    "schema.json": "provider_schema.json",
    "test_provider.py": "test_provider.py",
}
# What only providers have whose api.py has this word: an API over HTTP, with a key and a webhook, and ways to refuse.
ONLY_WITH = {
    "test_provider_key.py": "(HttpApi)",
    "test_webhook_contract.py": "(HttpApi)",
    "test_provider_failures.py": "refusals",
}
# Kept between runs: a warm environment and type cache are most of what makes one more combination cheap.
PLACES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "groundwork"


@dataclass(frozen=True)
class Place:
    """Where one process works: a project folder and an environment, always at the same paths."""

    folder: Path

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def types(self) -> Path:
        """What the type checker remembers."""
        return self.folder / "types"

    def environment(self, python: str) -> dict[str, str]:
        """Variables that pin Python, the environment's folder and the type checker's memory."""
        version = Path(python).name
        return {
            "UV_PYTHON": python,
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_PROJECT_ENVIRONMENT": str(self.folder / f"environment-{version}"),
            "MYPY_CACHE_DIR": str(self.types),
            # Its table of Unicode takes a second to make.
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self.folder / "hypothesis"),
        }

    def put(self, render: Path) -> Path:
        """Make `project` equal `render`; a file that is the same already stays as it is, with its bytecode."""
        self.project.mkdir(parents=True, exist_ok=True)
        wanted = {path.relative_to(render) for path in render.rglob("*")}
        # Folders too: an empty one is still a package, or a message without its text.
        for path in sorted(self.project.rglob("*"), reverse=True):
            name = path.relative_to(self.project)
            if name not in wanted and "__pycache__" not in name.parts:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name in wanted:
            ours, theirs = self.project / name, render / name
            if theirs.is_file() and (not ours.exists() or ours.read_bytes() != theirs.read_bytes()):
                ours.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(theirs, ours)
        return self.project


@cache
def place() -> Place:
    """This process's own: the first that no other process holds."""
    number = 0
    while True:
        folder = PLACES / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        # Never closed: held until the process ends.
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            number += 1
            continue
        return Place(folder)


def cpu_seconds() -> float:
    """The processor time of this process, and of those that it started and saw end."""
    return sum(used.ru_utime + used.ru_stime for used in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))


def commands(project: Path, answers: Answers) -> list[str]:
    """What the project's CI file runs, or where there is none what its guide says."""
    if answers["ci"] == "github":
        steps = yaml.safe_load((project / ".github/workflows/ci.yml").read_text())["jobs"]["test"]["steps"]
        return [step["run"] for step in steps if "run" in step]
    if answers["ci"] == "gitlab":
        return list(yaml.safe_load((project / ".gitlab-ci.yml").read_text())["test"]["script"])
    block = re.search(r"## Checks\n.*?```console\n(.*?)```", (project / "docs/guide.md").read_text(), re.DOTALL)
    assert block, "the guide has no block of commands below Checks"
    return block[1].splitlines()


def add_ring(render: Path, ring: str, provider: str) -> Path:
    """Put the tests of a ring into a render: `groundwork` for the machinery, `providers` for its provider, `embedded`."""
    folder = render / "tests" / ring
    shutil.copytree(TEMPLATE / "tests" / ring, folder, ignore=shutil.ignore_patterns("__pycache__"))
    if ring == "providers":
        variant = TEMPLATE / "variants/email" / provider
        for file, name in PROVIDER_FILES.items():
            shutil.copyfile(variant / file, folder / name)
        for file, word in ONLY_WITH.items():
            if word not in (variant / "api.py").read_text():
                (folder / file).unlink()
        if (own := variant / "test-requirements.txt").exists():
            with (folder / "requirements.txt").open("a") as requirements:
                requirements.write(own.read_text())
    return render


def ring_commands(ring: str) -> list[str]:
    """What a service runs to check itself, for the tests of a ring within it."""
    folder = f"tests/{ring}"
    run = f"uv run --with-requirements {folder}/requirements.txt" if ring == "providers" else "uv run"
    return [
        "uv sync",
        f"uv run ruff check {folder}",
        f"uv run ruff format --check {folder}",
        f"MYPYPATH=src:tests:{folder} {run} mypy {folder}",
        f"{run} pytest {folder}",
    ]


@dataclass(frozen=True)
class Failure:
    """What the project said, and what to do now."""

    output: str
    remedy: str


def prove(
    run: RunFolder, render: Path, answers: Answers, python: str = sys.executable, ring: str = ""
) -> Failure | None:
    """Run the commands of the project's CI, or those of a ring, with a database and the broker, until one fails.

    With another Python those that run the code: linters say the same with each.
    """
    here = place()
    project = here.put(render)
    # Only what this combination declares: no lock of another decides what is installed.
    (project / "uv.lock").unlink(missing_ok=True)
    if python == sys.executable:
        _learn_types(here, python)
    with database(run) as database_url, namespace(run, answers["broker"]) as broker_url:
        services = {"TEST_DATABASE_URL": database_url, "TEST_BROKER_URL": broker_url}
        wanted = ring_commands(ring) if ring else commands(project, answers)
        if python != sys.executable:
            wanted = [command for command in wanted if command in {"uv sync", "uv run pytest"}]
            assert len(wanted) == 2, "The project's checks have other words."
        for command in wanted:
            try:
                execute("bash", "-ec", command, cwd=project, **here.environment(python), **services)
            except AssertionError as error:
                return Failure(str(error), _keep(project, answers, command, services))
    return None


def _learn_types(here: Place, python: str) -> None:
    """A new place begins with what the first one learned: to learn it takes the type checker as long as a suite."""
    known = PLACES / "types"
    with locked(PLACES / "types.lock"):
        if here.types.exists():
            return
        if known.exists():
            _copy_whole(known, here.types)
            return
        # What is wrong with this project its own check says.
        with suppress(AssertionError):
            words = "uv sync --quiet && uv run mypy"
            execute("bash", "-ec", words, cwd=here.project, **here.environment(python))
            _copy_whole(here.types, known)


def _copy_whole(folder: Path, to: Path) -> None:
    """Or not at all, when this process is killed meanwhile."""
    part = to.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(folder, part).rename(to)


def _keep(project: Path, answers: Answers, command: str, services: dict[str, str]) -> str:
    """Where the failed project stays, and how to run it again by hand."""
    kept = Path(gettempdir()) / f"failed-{label(answers)}"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(project, kept, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    # The run's own servers and databases are gone by then; those that were there before are not.
    variables = " ".join(f"{name}={shlex.quote(url)}" for name, url in services.items())
    path = "" if shutil.which("uv") else f"PATH={UV.parent}:$PATH "
    return (
        f"`{command}` failed; its output is below. The project is kept. Again by hand:\n"
        f"  cd {kept} && {path}{variables} bash -c {shlex.quote(f'uv sync && {command}')}\n"
        f'Again as here:\n  make test ARGS="--only {as_only(answers)}"'
    )


def execute(*command: str | Path, cwd: Path, **environment: str) -> str:
    """What the command printed; its whole output is the message when it fails."""
    unwanted = ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
    clean = {name: value for name, value in os.environ.items() if name not in unwanted}
    clean["PATH"] = os.pathsep.join([str(UV.parent), clean["PATH"]])
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
