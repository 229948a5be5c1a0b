"""Starts what a rendered service is made of, in this process's place."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import psutil

from chaos_program import until
from run_folder import RunFolder, note_process
from suite import execute, place

__all__ = ["UVICORN", "await_api", "install", "launch"]

UNWANTED = ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
HTTP = ("--http", "groundwork.server:Protocol")
UVICORN = ("-m", "uvicorn", *HTTP, "--factory", "app.main:create_app", "--host", "127.0.0.1", "--port")


def install(render: Path) -> tuple[Path, Path]:
    """The project and its Python, with what this combination declares and nothing else."""
    here = place()
    project = here.put(render)
    # No lock of another decides what is installed.
    (project / "uv.lock").unlink(missing_ok=True)
    environment = here.environment(sys.executable)
    execute("uv", "sync", "--quiet", cwd=project, **environment)
    return project, Path(environment["UV_PROJECT_ENVIRONMENT"]) / "bin/python"


def launch(
    run: RunFolder, log: Path, project: Path, words: tuple[str | Path, ...], variables: dict[str, str]
) -> "subprocess.Popen[bytes]":
    """In a session of its own; whoever ends it does so by its number."""
    environment = {variable: value for variable, value in os.environ.items() if variable not in UNWANTED}
    with log.open("ab") as output:
        process = subprocess.Popen(
            words,
            cwd=project,
            env=environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    note_process(run, psutil.Process(process.pid))
    return process


def await_api(url: str) -> None:
    until(lambda: _answers(f"{url}/health/live"), "the API answers", seconds=60)


def _answers(url: str) -> bool:
    # Whatever http_proxy says.
    with suppress(OSError), build_opener(ProxyHandler({})).open(url, timeout=2) as reply:
        return bool(reply.status == 200)
    return False
