"""A rendered service whose parts are processes, as somebody runs it who has installed PostgreSQL and a broker."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from chaos_program import Program
from launching import UVICORN, await_api, install, launch
from private_servers import free_port
from run_folder import RunFolder
from services import made_database, namespace

__all__ = ["Front", "Serving", "composed_worker", "running", "serving"]

Front = Callable[[int], AbstractContextManager[str]]


@dataclass(frozen=True)
class Serving:
    url: str
    database_url: str
    worker: Program
    api: Program
    doctor: Program


def composed_worker(project: Path) -> list[str]:
    """The command of the worker in compose.yaml, for one that is alone: it sends the mail too."""
    command = yaml.safe_load((project / "compose.yaml").read_text())["services"]["worker"]["command"]
    return [word for word in command if word not in ("-X", "mail")]


@contextmanager
def serving(run: RunFolder, render: Path, logs: Path, broker: str) -> Iterator[Serving]:
    """API, worker and relay of the render, each a process; mail stays where /dev/mail shows it."""
    with made_database(run) as database_url, namespace(run, broker) as broker_url:
        variables = {
            "DATABASE_URL": database_url,
            "BROKER_URL": broker_url,
            "MAIL_DRY_RUN": "true",
            "MAIL_OUTBOX": str(logs / "outbox"),
        }
        with running(run, render, logs, variables) as service:
            yield service


def nothing_between(port: int) -> AbstractContextManager[str]:
    """The URL of a service that nothing stands in front of."""
    return nullcontext(f"http://127.0.0.1:{port}")


@contextmanager
def running(
    run: RunFolder, render: Path, logs: Path, variables: dict[str, str], front: Front = nothing_between
) -> Iterator[Serving]:
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
            assert migration.status() == 0
            for each in programs:
                each.start()
            await_api(f"http://127.0.0.1:{port}")
            yield Serving(
                url, settings["DATABASE_URL"], programs[0], programs[2], program("doctor", "app.cli", "doctor")
            )
        except BaseException:
            for log in sorted(logs.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text()[-3000:]}")
            raise
        finally:
            for each in programs:
                each.end()
