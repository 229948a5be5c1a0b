"""Where a contender runs: a freshly rendered service, with an environment, a database and a queue of its own."""

import json
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from copier import run_copy
from copier.errors import DirtyLocalWarning

from combinations import TEMPLATE
from contenders import WORK
from run_folder import RunFolder
from services import made_database, namespace
from suite import UV, execute

__all__ = ["Asked", "Service", "make_effects", "rendered", "served", "variables"]


@dataclass(frozen=True)
class Asked:
    """What work/client.py printed: when it began and ended, and when it asked for each job."""

    began_at: float
    ended_at: float
    asked_at: list[float]


@dataclass(frozen=True)
class Service:
    """Where it is, and the variables that its programs read."""

    folder: Path
    variables: dict[str, str]

    @property
    def database_url(self) -> str:
        return self.variables["DATABASE_URL"]

    def program(self, name: str) -> Path:
        return self.folder / ".venv/bin" / name

    def environment(self, module: str) -> dict[str, str]:
        """For a contender's processes, with a queue of its own."""
        return self.variables | {"JOB_QUEUE": module}

    def client(self, module: str, jobs: int, pause: float = 0) -> Asked:
        """Enqueue so many jobs, in a process of its own."""
        # -P: another version of the template has modules of the same names, which PYTHONPATH finds.
        words: list[str | Path] = [self.program("python"), "-P", WORK / "client.py", module, str(jobs), str(pause)]
        environment = self.environment(module)
        done = subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise RuntimeError(f"the client of {module} failed:\n{done.stderr}")
        return Asked(**json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def served(run: RunFolder, broker: str, template: Path = TEMPLATE, **answers: str) -> Iterator[Service]:
    """The default answers but for these, installed, with empty tables; the database and queue end with it."""
    folder = rendered(run, broker, template, **answers)
    with made_database(run) as database_url, namespace(run, broker) as broker_url:
        service = Service(folder, variables(database_url, broker_url, template / "benchmarks/work"))
        execute(service.program("app"), "migrate", cwd=folder, **service.variables)
        make_effects(database_url)
        yield service


def rendered(run: RunFolder, broker: str, template: Path = TEMPLATE, **answers: str) -> Path:
    """A service's folder, with an environment."""
    folder = run.path / "-".join(["service", broker, *answers.values(), template.name])
    # Whoever edits the template measures what they edited.
    with warnings.catch_warnings(action="ignore", category=DirtyLocalWarning):
        run_copy(str(template), folder, data={"broker": broker, **answers}, defaults=True, vcs_ref="HEAD", quiet=True)
    execute(UV, "sync", "--quiet", "--no-dev", "--compile-bytecode", cwd=folder)
    return folder


def make_effects(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE effects (number integer NOT NULL, began_at double precision NOT NULL)")


def variables(database_url: str, broker_url: str = "", work: Path = WORK) -> dict[str, str]:
    # Nothing of ours but the path: every contender is measured with the same few variables.
    return {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(work),
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "SECRET_KEY": "only-for-benchmarks-" * 2,
        # RabbitMQ of a developer has the password that production refuses.
        "ENVIRONMENT": "test",
    }
