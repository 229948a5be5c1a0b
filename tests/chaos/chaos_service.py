"""A rendered service as it runs: private servers, API, relays and workers, each a program that can be hit."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import psycopg

import private_servers
from chaos_ledger import Ledger
from chaos_program import Program, until
from launching import UVICORN, await_api, install, launch
from private_servers import Server, free_port
from run_folder import RunFolder
from serving import composed_worker
from suite import execute

OVERLAY = Path(__file__).parent / "overlay"
HOOK = "    # New features go here.\n"
WIRING = """\
    from app.chaos import control, routes as chaos

    api.include_router(chaos.router)
    api.include_router(control.router)
"""
EFFECTS = "CREATE TABLE effects (job_id uuid NOT NULL, made_at timestamptz NOT NULL DEFAULT clock_timestamp())"
HOUR = 3600
# Jobs of long ago, so that the table is not the one of a first day: it is longer than LARGEST_FILE in chaos_servers.py.
HISTORY = """
    INSERT INTO jobs (id, task, arguments, status, attempts, crashes, history, due_at, finished_at)
    SELECT gen_random_uuid(), 'app.chaos.long_ago', '{"seconds": 0}', 'succeeded', 1, 0, '[]', NULL, now()
    FROM generate_series(1, %s)
"""
# A queue with a worker of its own.
SIDE = "side"
PLAIN_WORKER = ("celery", "-q", "-A", "app.chaos.control:plain", "worker", "-l", "info")


@dataclass
class Service:
    """`folder` has the logs; `broker` is None where the worker feeds itself."""

    run: RunFolder
    folder: Path
    project: Path
    python: Path
    database_server: Server
    broker_server: Server | None
    url: str = ""
    relays: list[Program] = field(default_factory=list)
    workers: list[Program] = field(default_factory=list)
    # A transaction that somebody has forgotten.
    left_open: "psycopg.Connection | None" = None

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.database_server.url)
        self.database = Program("postgresql", lambda: self.database_server.start(self.run))
        self.broker = self._broker()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.composed = composed_worker(self.project)
        self.api = Program("api", lambda: self._launch_api((*UVICORN, str(port))))

    def _broker(self) -> Program | None:
        server = self.broker_server
        return Program("broker", lambda: server.start(self.run)) if server else None

    @property
    def publishers(self) -> list[Program]:
        """Who publishes: the relays, or the worker whose thread is one."""
        return self.relays or self.workers

    def relay(self) -> Program:
        name = f"relay{len(self.relays) + 1}"
        self.relays.append(Program(name, lambda: self._launch(name, "-m", "app.cli", "relay")))
        return self.relays[-1]

    def worker(self, *options: str, words: Sequence[str] = (), clock_skew: int = 0) -> Program:
        """As compose.yaml has it, unless `words` say otherwise; one that feeds itself has threads, as `app dev` has it."""
        threads = () if self.broker_server else ("-P", "threads")
        name = f"worker{len(self.workers) + 1}"
        own = ("-m", *(words or self.composed), "-c", "2", "-n", f"{name}@%h", *threads, *options)
        clock = {"PYTHONPATH": str(OVERLAY / "clock"), "CLOCK_SKEW_SECONDS": str(clock_skew)} if clock_skew else {}
        self.workers.append(Program(name, lambda: self._launch(name, *own, **clock)))
        return self.workers[-1]

    def busy(self) -> tuple[Program, psutil.Process]:
        """A worker, and its process that works on a job at this moment."""

        def found() -> tuple[Program, psutil.Process] | None:
            pids = [pid for _, pid in self.ledger.running()]
            for worker in self.workers:
                for process in worker.family():
                    if process.pid in pids:
                        return worker, process
            return None

        return until(found, "a worker is busy")

    def is_left_open(self) -> bool:
        """Whether the transaction still sees the table as it was when it began: none of the jobs that succeeded since."""
        assert self.left_open is not None
        (seen,) = self.left_open.execute("SELECT count(*) FROM effects").fetchone() or (0,)
        return bool(seen < len(self.ledger.effects()))

    def wipe_broker(self) -> None:
        assert self.broker_server is not None
        shutil.rmtree(self.broker_server.data)
        self.broker_server.data.mkdir()

    def execute(self, *words: str) -> None:
        execute(self.python, *words, cwd=self.project, **self._variables())

    def programs(self) -> list[Program]:
        """Those that depend on others first."""
        ours = [self.api, *self.relays, *self.workers, self.database]
        return [*ours, self.broker] if self.broker else ours

    def restart_ended(self) -> None:
        """Start again what has ended by itself, as an orchestrator does."""
        for program in (self.api, *self.relays, *self.workers):
            if program.process is not None and program.process.poll() is not None:
                log = (self.folder / f"{program.name}.log").read_text(errors="replace")
                words = log.strip().splitlines()[-1][:150]
                program.last_words.append(f"status {program.process.returncode}, {words}")
                program.start()

    def logs(self) -> list[Path]:
        return sorted(self.folder.glob("*.log"))

    def prepare(self) -> None:
        """The servers and the tables."""
        self.database.start()
        if self.broker:
            self.broker.start()
        self.execute("-m", "app.cli", "migrate")
        with psycopg.connect(self.database_server.url) as connection:
            connection.execute(EFFECTS)
            connection.execute(HISTORY, [10_000])

    def _variables(self) -> dict[str, str]:
        variables = {
            "DATABASE_URL": self.database_server.url,
            "SECRET_KEY": "only-for-chaos-" * 3,
            "JOB_LEASE_SECONDS": "2",
            "JOB_PATIENCE_SECONDS": "3",
            "MAIL_DRY_RUN": "true",
        }
        if self.broker_server is None:
            # As `app dev` has it.
            return variables | {"ENVIRONMENT": "development", "BROKER_URL": "memory://localhost"}
        return variables | {"ENVIRONMENT": "test", "BROKER_URL": self.broker_server.url}

    def _launch(self, name: str, *words: str, **variables: str) -> "subprocess.Popen[bytes]":
        log = self.folder / f"{name}.log"
        return launch(self.run, log, self.project, (self.python, *words), self._variables() | variables)

    def _launch_api(self, words: tuple[str, ...]) -> "subprocess.Popen[bytes]":
        process = self._launch("api", *words)
        await_api(self.url)
        return process


@contextmanager
def installed(run: RunFolder, render: Path, folder: Path, *, broker: str | None, database: str) -> Iterator[Service]:
    """The render with the feature of the suite, on private servers that run; nothing else is started yet."""
    feature = render / "src/app/chaos"
    shutil.copytree(OVERLAY / "app", feature)
    shutil.copyfile(OVERLAY / "routes" / f"{database}.py", feature / "routes.py")
    main = render / "src/app/main.py"
    assert HOOK in main.read_text()
    main.write_text(main.read_text().replace(HOOK, WIRING + HOOK))

    project, python = install(render)
    service = Service(run, folder, project, python, _database_server(run), _broker_server(run, broker))
    try:
        service.prepare()
        yield service
    finally:
        if service.left_open is not None:
            service.left_open.close()
        for program in service.programs():
            program.end()
        # What Python kept there would outlive the render.
        shutil.rmtree(project / "src/app/chaos", ignore_errors=True)


def _database_server(run: RunFolder) -> Server:
    # No file of its log is longer than a table may become: see LARGEST_FILE in chaos_servers.py.
    return private_servers.postgresql_server(run, initdb_options=["--wal-segsize=1"])


def _broker_server(run: RunFolder, broker: str | None) -> Server | None:
    if broker == "redis":
        server = private_servers.redis_server(run)
        # As compose.yaml has it.
        return replace(server, words=[*server.words, "--appendonly", "yes"])
    return private_servers.rabbitmq_server(run) if broker else None
