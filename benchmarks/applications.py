"""Who takes part in the benchmark of requests: the service of a colour, other versions of it, and a bare application."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from combinations import TEMPLATE
from contenders import WORK
from run_folder import RunFolder
from service import Service, served, variables
from services import made_database
from suite import UV, execute

__all__ = ["BARE", "HOST", "SERVICE", "Application", "applications"]

SERVICE, BARE = "service", "bare"
# People who ask in turns: each has few of the jobs.
PEOPLE = 100
HOST = "service.example"
# As a deployment sets them. No worker takes the jobs away here, so people may have more of them.
PRODUCTION = {
    "ENVIRONMENT": "production",
    "PUBLIC_URL": f"https://{HOST}",
    "MAIL_DRY_RUN": "true",
    "JOBS_PER_PERSON": "100000",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class Application:
    """Where it is, how its server starts, what it is asked for, and whose tokens it believes."""

    name: str
    service: Service
    command: list[str]
    health: str
    user: str
    reports: str
    # That `reports` fills.
    table: str
    tokens: list[str]

    def requests(self, kind: str) -> list[bytes]:
        """Of all people, in turns. `kind` is one of `health`, `current user`, `insert and commit`."""
        body = '{"days":14}'
        lines = {
            "health": [f"GET {self.health} HTTP/1.1"],
            "current user": [f"GET {self.user} HTTP/1.1"],
            "insert and commit": [
                f"POST {self.reports} HTTP/1.1",
                "Content-Type: application/json",
                f"Content-Length: {len(body)}",
            ],
        }[kind]
        asked = [[*lines, f"Host: {HOST}"]]
        if kind != "health":
            asked = [[*asked[0], f"Authorization: Bearer {token}"] for token in self.tokens]
        end = body if kind == "insert and commit" else ""
        return ["\r\n".join([*each, "", end]).encode() for each in asked]

    def empty(self) -> None:
        with psycopg.connect(self.service.database_url, autocommit=True) as connection:
            connection.execute(f"TRUNCATE {self.table} CASCADE".encode())


@contextmanager
def applications(run: RunFolder, colour: str, beside: dict[str, Path]) -> Iterator[list[Application]]:
    """The service of the working tree, the bare application in its environment, and the service of other versions."""
    with ExitStack() as ends:
        service = ends.enter_context(_service(run, colour, SERVICE, TEMPLATE))
        bare = ends.enter_context(_bare(run, colour, service.service.folder))
        others = [
            ends.enter_context(_service(run, colour, f"{SERVICE}, {name}", template))
            for name, template in beside.items()
        ]
        yield [service, bare, *others]


@contextmanager
def _service(run: RunFolder, colour: str, name: str, template: Path) -> Iterator[Application]:
    with served(run, "redis", template, database=colour) as plain:
        service = Service(plain.folder, plain.variables | PRODUCTION)
        # As the image does.
        execute(service.program("python"), "-m", "compileall", "-q", "src", "migrations", cwd=service.folder)
        yield Application(
            name,
            service,
            _command(service.folder),
            health="/health/live",
            user="/api/v1/users/me",
            reports="/api/v1/reports",
            table="jobs",
            tokens=_tokens(service, "people.py"),
        )


@contextmanager
def _bare(run: RunFolder, colour: str, folder: Path) -> Iterator[Application]:
    with made_database(run) as database_url:
        service = Service(folder, variables(database_url) | PRODUCTION)
        python = service.program("python")
        execute(UV, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "asyncpg", cwd=folder)
        execute(python, "-m", "compileall", "-q", WORK, cwd=folder)
        yield Application(
            BARE,
            service,
            ["uvicorn", f"bare_{colour}:app", "--log-level", "warning", "--no-access-log"],
            health="/health",
            user="/users/me",
            reports="/reports",
            table="reports",
            tokens=_tokens(service, "bare_people.py"),
        )


def _command(folder: Path) -> list[str]:
    """The server's, as the image has it."""
    commands = [line for line in (folder / "Dockerfile").read_text().splitlines() if line.startswith("CMD ")]
    words: list[str] = json.loads(commands[-1].removeprefix("CMD "))
    return words[words.index("uvicorn") :]


def _tokens(service: Service, script: str) -> list[str]:
    """Of people whom the script makes."""
    # -P: another version of the template has modules of the same names, which PYTHONPATH finds.
    words: list[str | Path] = [service.program("python"), "-P", WORK / script, str(PEOPLE)]
    tokens: list[str] = json.loads(execute(*words, cwd=service.folder, **service.variables).splitlines()[-1])
    return tokens
