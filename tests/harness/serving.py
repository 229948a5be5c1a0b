"""A rendered service whose parts are processes, as somebody runs it who has installed PostgreSQL and a broker."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from chaos_program import Program
from launching import UVICORN, await_api, install, launch
from private_servers import free_port
from run_folder import RunFolder
from services import made_database, namespace

__all__ = ["Serving", "serving"]


@dataclass(frozen=True)
class Serving:
    url: str
    database_url: str
    worker: Program
    api: Program
    project: Path
    python: Path
    # Of its processes.
    variables: dict[str, str]


def composed_worker(project: Path) -> list[str]:
    """The command of the worker in compose.yaml, for one that is alone: it sends the mail too."""
    command = yaml.safe_load((project / "compose.yaml").read_text())["services"]["worker"]["command"]
    return [word for word in command if word not in ("-X", "mail")]


@contextmanager
def serving(
    run: RunFolder, render: Path, logs: Path, broker: str, path: str = "", pooler: Callable[[str], str] | None = None
) -> Iterator[Serving]:
    """API, worker and relay of the render, each a process, below a path of its host; mail is at /dev/mail.

    `pooler` gives the URL by which web requests reach the database.
    """
    project, python = install(render)
    port = free_port()
    url = f"http://127.0.0.1:{port}{path}"
    worker = composed_worker(project)
    with made_database(run) as database_url, namespace(run, broker) as broker_url:
        variables = {
            "ENVIRONMENT": "development",
            "DATABASE_URL": database_url,
            "BROKER_URL": broker_url,
            # A vhost or Redis database may be everybody's.
            "JOB_QUEUE": urlsplit(database_url).path[1:],
            "SECRET_KEY": "only-for-browsers-" * 2,
            "PUBLIC_URL": url,
            "MAIL_DRY_RUN": "true",
            "MAIL_OUTBOX": str(logs / "outbox"),
            # A worker that was killed is missed soon.
            "JOB_LEASE_SECONDS": "2",
        }
        if pooler:
            variables |= {"DATABASE_URL": pooler(database_url), "DIRECT_DATABASE_URL": database_url}

        def program(name: str, *words: str) -> Program:
            return Program(name, lambda: launch(run, logs / f"{name}.log", project, (python, "-m", *words), variables))

        programs = [
            program("worker", *worker, "-c", "2"),
            program("relay", "app.cli", "relay"),
            program("api", *UVICORN[1:], str(port)),
        ]
        migration = program("migrate", "app.cli", "migrate")
        migration.start()
        assert migration.process is not None
        assert migration.process.wait() == 0, (logs / "migrate.log").read_text()
        try:
            for each in programs:
                each.start()
            await_api(url)
            yield Serving(url, database_url, programs[0], programs[2], project, python, variables)
        except BaseException:
            for log in sorted(logs.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text()[-3000:]}")
            raise
        finally:
            for each in programs:
                each.end()
