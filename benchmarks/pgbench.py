"""PostgreSQL's own benchmark against a private server: the installed one, or the one of its wheel."""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from missing import Missing
from private_servers import Server, postgresql_server, wheel_server
from run_folder import RunFolder

__all__ = ["Pgbench", "private_server"]

# The tests' servers forget; this one is to wait for its disk. A checkpoint within a measurement would be somebody's bad luck.
SETTINGS = ("fsync=on", "max_wal_size=8GB", "checkpoint_timeout=1h")


@dataclass(frozen=True)
class Pgbench:
    program: Path
    server_url: str
    version: str

    def database(self, name: str) -> str:
        """The URL of a new one, which ends with the server."""
        with psycopg.connect(self.server_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return urlunsplit(urlsplit(self.server_url)._replace(path=f"/{name}"))

    def rate(self, database_url: str, script: Path, clients: int, seconds: int, options: str) -> float:
        """Transactions per second of so many clients; `options` are those of their sessions."""
        words = [
            "-n",
            "-M",
            "prepared",
            "-c",
            str(clients),
            "-j",
            "2",
            "-T",
            str(seconds),
            "-f",
            str(script),
            database_url,
        ]
        done = subprocess.run(
            [self.program, *words], env=os.environ | {"PGOPTIONS": options}, capture_output=True, text=True
        )
        found = re.search(r"^tps = ([\d.]+) \(without", done.stdout, re.MULTILINE)
        if done.returncode != 0 or found is None:
            raise RuntimeError(f"pgbench ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return float(found[1])


def private_server(run: RunFolder) -> Pgbench:
    """The first that has pgbench beside it, started; raises Missing with a reason for each."""
    makers: tuple[Callable[[RunFolder], Server], ...] = (postgresql_server, wheel_server)
    reasons = []
    for make in makers:
        try:
            server = make(run)
            program = Path(server.words[0]).with_name("pgbench")
            if not program.exists():
                raise Missing(f"{program} is not installed")
            settings = [word for setting in SETTINGS for word in ("-c", setting)]
            server = replace(server, words=[*server.words, *settings])
            server.start(run)
        except Missing as missing:
            reasons.append(str(missing))
            continue
        with psycopg.connect(server.url) as connection:
            row = connection.execute("SELECT split_part(version(), ' on ', 1)").fetchone()
        assert row is not None
        return Pgbench(program, server.url, row[0])
    raise Missing("; ".join(reasons))
