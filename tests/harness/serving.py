"""A rendered service whose parts are processes, as somebody runs it who has installed PostgreSQL and a broker."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from chaos_program import Program
from launching import UVICORN, await_api, install, launch
from private_servers import Server, free_port
from run_folder import RunFolder
from services import made_database, namespace

__all__ = ["Front", "Serving", "composed_worker", "running", "serving"]

Pooler = Callable[[str], Server]
Front = Callable[[int], AbstractContextManager[str]]


@dataclass(frozen=True)
class Serving:
    url: str
    worker: Program
    api: Program
    project: Path
    python: Path
    # Of its processes.
    variables: dict[str, str]

    @property
    def database_url(self) -> str:
        """PostgreSQL itself."""
        return self.variables.get("DIRECT_DATABASE_URL") or self.variables["DATABASE_URL"]

    def doctor(self, **variables: str) -> "subprocess.CompletedProcess[str]":
        """What `app doctor` says, with other variables perhaps."""
        words = [str(self.python), "-m", "app.cli", "doctor"]
        environment = os.environ | self.variables | variables
        return subprocess.run(words, cwd=self.project, env=environment, capture_output=True, text=True)


def composed_worker(project: Path) -> list[str]:
    """The command of the worker in compose.yaml, for one that is alone: it sends the mail too."""
    command = yaml.safe_load((project / "compose.yaml").read_text())["services"]["worker"]["command"]
    return [word for word in command if word not in ("-X", "mail")]


@contextmanager
def serving(
    run: RunFolder, render: Path, logs: Path, broker: str, path: str = "", pooler: Pooler | None = None
) -> Iterator[Serving]:
    """API, worker and relay of the render, each a process, below a path of its host; mail stays where /dev/mail shows it.

    `pooler` makes the server by which web requests reach the database.
    """
    with made_database(run) as database_url, namespace(run, broker) as broker_url:
        variables = {
            "DATABASE_URL": database_url,
            "BROKER_URL": broker_url,
            "MAIL_DRY_RUN": "true",
            "MAIL_OUTBOX": str(logs / "outbox"),
        }
        if pooler:
            server = pooler(database_url)
            server.start(run)
            variables |= {"DATABASE_URL": server.url, "DIRECT_DATABASE_URL": database_url}
        with running(
            run, render, logs, variables, lambda port: nullcontext(f"http://127.0.0.1:{port}{path}")
        ) as service:
            yield service


@contextmanager
def running(run: RunFolder, render: Path, logs: Path, variables: dict[str, str], front: Front) -> Iterator[Serving]:
    """API, worker and relay with these variables; people use the URL of `front`, which is given the port of the API."""
    project, python = install(render)
    port = free_port()
    worker = composed_worker(project)
    with front(port) as url:
        settings = {
            "ENVIRONMENT": "development",
            # A vhost or Redis database may be everybody's.
            "JOB_QUEUE": urlsplit(variables["DATABASE_URL"]).path[1:],
            "SECRET_KEY": "only-for-browsers-" * 2,
            "PUBLIC_URL": url,
            # A worker that was killed is missed soon.
            "JOB_LEASE_SECONDS": "2",
            **variables,
        }

        def program(name: str, *words: str) -> Program:
            return Program(name, lambda: launch(run, logs / f"{name}.log", project, (python, "-m", *words), settings))

        programs = [
            program("worker", *worker, "-c", "2"),
            program("relay", "app.cli", "relay"),
            program("api", *UVICORN[1:], str(port)),
        ]
        try:
            migration = program("migrate", "app.cli", "migrate")
            migration.start()
            assert migration.process is not None
            assert migration.process.wait() == 0
            for each in programs:
                each.start()
            await_api(f"http://127.0.0.1:{port}")
            yield Serving(url, programs[0], programs[2], project, python, settings)
        except BaseException:
            for log in sorted(logs.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text()[-3000:]}")
            raise
        finally:
            for each in programs:
                each.end()
