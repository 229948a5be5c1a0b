"""PgBouncer, from a program that is installed here: on a free port, in transaction mode, in front of one PostgreSQL."""

import os
import pwd
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from private_servers import Server, free_port, installed, own_folder
from run_folder import RunFolder

__all__ = ["pgbouncer"]

# Debian's place, which is on PATH for root alone.
PLACES = ["/usr/sbin"]
# Fewer connections than clients, so that clients share them.
SETTINGS = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 3
"""


def pgbouncer(run: RunFolder, url: str) -> str:
    """The URL of the same database behind the pooler; raises Missing."""
    program, own, folder, place = installed("pgbouncer", PLACES), free_port(), own_folder(run), urlsplit(url)
    (folder / "users").write_text(f'"{place.username}" "{place.password or ""}"\n')
    settings = folder / "settings"
    settings.write_text(SETTINGS.format(host=place.hostname, port=place.port or 5432, own=own, folder=folder))
    pooled = urlunsplit(place._replace(netloc=f"{place.netloc.rpartition('@')[0]}@127.0.0.1:{own}"))
    # It refuses to be root, as PostgreSQL does.
    user = pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else os.getuid()
    words: list[str | Path] = [program, settings]
    Server(pooled, words, folder, folder, lambda: psycopg.connect(pooled).close(), user=user).start(run)
    return pooled
