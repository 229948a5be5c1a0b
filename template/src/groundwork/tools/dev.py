"""`app dev`: everything in one terminal, started again on change, with nothing installed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from watchfiles import PythonFilter, awatch
from watchfiles.main import FileChange

from groundwork.configuration import configuration
from groundwork.tools.dev_environment import FOLDER, url_of
from groundwork.urls import place_of

__all__ = ["answers", "serve"]

COLOURS = {"api": "36", "worker": "32", "relay": "33", "dev": "35"}
# Seconds between the polite and the final signal. A job cut off here runs again: see the relay.
PATIENCE = 8
# Whatever http_proxy says: a proxy would look for this machine on its own.
DIRECTLY = build_opener(ProxyHandler({}))


@dataclass
class Service:
    """One child process, in a session of its own: Ctrl-C reaches only us, and we stop it in order."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    process: asyncio.subprocess.Process | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *self.command,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            limit=2**20,
        )
        task = asyncio.create_task(self._print_output(self.process))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _print_output(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            say(self.name, line.decode(errors="replace").rstrip())
        if await process.wait() not in (0, -signal.SIGTERM) and process is self.process:
            say(self.name, f"stopped with exit code {process.returncode}; it starts again when a file changes")

    async def stop(self) -> None:
        process, self.process = self.process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), PATIENCE)
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def say(name: str, line: str) -> None:
    """A line of the log, with who said it in front; in colour on a terminal."""
    prefix = f"{name:<6} |"
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        prefix = f"\033[{COLOURS[name]}m{prefix}\033[0m"
    # The terminal may be gone: what it started has to be stopped all the same.
    with suppress(OSError):
        print(datetime.now().strftime("%H:%M:%S"), prefix, line, flush=True)


async def serve(host: str, port: int, environment: Mapping[str, str]) -> None:
    """Run API and worker until Ctrl-C; a changed Python file starts both again."""
    python = [sys.executable, "-W", "ignore:You're running the worker with superuser", "-m"]
    package = configuration().package
    worker = ["celery", "-q", "-A", f"{package}.worker", "worker", "-P", "threads", "-c", "4", "-l", "info"]
    address = ["--host", host, "--port", str(port), "--no-server-header"]
    address += ["--http", "groundwork.server:Protocol", "--ws-max-size", "1024"]
    services = [
        Service("api", [*python, "uvicorn", "--factory", f"{package}.main:create_app", *address], environment),
        Service("worker", [*python, *worker], environment),
    ]
    if not environment["BROKER_URL"].startswith("memory:"):
        services.append(Service("relay", [*python, f"{package}.cli", "relay"], environment))

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        for service in services:
            await service.start()
        ready = asyncio.create_task(_say_when_ready(host, port, environment))
        async for changes in _changes(stop):
            say("dev", f"{Path(min(changes)[1]).name} changed; starting again")
            await asyncio.gather(*(service.stop() for service in services))
            await asyncio.gather(*(service.start() for service in services))
        ready.cancel()
    finally:
        say("dev", "stopping")
        await asyncio.gather(*(service.stop() for service in services))


async def _changes(stop: asyncio.Event) -> AsyncIterator[set[FileChange]]:
    options: dict[str, Any] = {"watch_filter": PythonFilter(), "stop_event": stop}
    try:
        async for changes in awatch("src", **options):
            yield changes
    except (OSError, RuntimeError) as error:
        # The system allows each user a number of watches.
        say("dev", f"No file can be watched, {error}; `app dev` polls them instead, which takes longer.")
        async for changes in awatch("src", **options, force_polling=True):
            yield changes


async def _say_when_ready(host: str, port: int, environment: Mapping[str, str]) -> None:
    url = url_of(host, port)
    while not await asyncio.to_thread(answers, f"{url}/health/ready"):
        await asyncio.sleep(0.2)
    lines = [
        "",
        f"API       {url}",
        f"Docs      {url}/docs",
        f"Mail      {url}/dev/mail   (kept in {place_of(environment['MAIL_OUTBOX'])})",
        f"Database  {place_of(environment['DATABASE_URL'])}",
        "",
        f"Ctrl-C stops everything. The data stays in {FOLDER}/.",
        "",
    ]
    for line in lines:
        say("dev", line)


def answers(url: str) -> bool:
    """Whether this machine answers there, asked directly."""
    try:
        with DIRECTLY.open(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False
