"""nginx, HAProxy and PgBouncer, set up as the page of the rendered service says."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil

from private_servers import Server, connect, free_port, installed, new_folder, unprivileged
from run_folder import RunFolder

__all__ = ["haproxy", "nginx", "pgbouncer", "started"]

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{said}
}}
"""


def said(render: Path, language: str, changes: Mapping[str, str]) -> str:
    """The block of docs/servers.md in this language, with the addresses of this test."""
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", (render / "docs/servers.md").read_text(), re.DOTALL)
    [block] = blocks
    for before, after in changes.items():
        assert before in block, f"the page has another {language}: no {before}"
        block = block.replace(before, after)
    return block


@contextmanager
def started(run: RunFolder, server: Server) -> Iterator[str]:
    """Its URL, while it runs."""
    process = psutil.Process(server.start(run).pid)
    family = [process, *process.children(recursive=True)]
    try:
        yield server.url
    finally:
        for each in family:
            if each.is_running():
                each.kill()
        psutil.wait_procs(family, timeout=10)


def nginx(run: RunFolder, render: Path, upstream: int) -> Server:
    port, folder = free_port(), new_folder(run)
    block = said(
        render, "nginx", {"127.0.0.1:8000": f"127.0.0.1:{upstream}", "listen 80;": f"listen 127.0.0.1:{port};"}
    )
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, said=block))
    words: list[str | Path] = [installed("nginx", ["/usr/sbin"]), "-p", folder, "-c", folder / "nginx.conf"]
    return Server(f"http://127.0.0.1:{port}", words, folder, folder, lambda: connect(port), user=unprivileged(folder))


def haproxy(run: RunFolder, render: Path, upstream: int) -> Server:
    port, folder = free_port(), new_folder(run)
    changes = {"127.0.0.1:8000": f"127.0.0.1:{upstream}", "bind :80": f"bind 127.0.0.1:{port}"}
    (folder / "haproxy.cfg").write_text(said(render, "haproxy", changes))
    words: list[str | Path] = [installed("haproxy", ["/usr/sbin"]), "-db", "-f", folder / "haproxy.cfg"]
    return Server(f"http://127.0.0.1:{port}", words, folder, folder, lambda: connect(port), user=unprivileged(folder))


def pgbouncer(run: RunFolder, render: Path, database_url: str) -> Server:
    """In transaction mode; nobody needs a password, as at the server of the tests."""
    port, folder, parts = free_port(), new_folder(run), urlsplit(database_url)
    changes = {
        "host=127.0.0.1 port=5432": f"host={parts.hostname} port={parts.port or 5432}",
        "listen_port = 6432": f"listen_port = {port}",
        "auth_type = scram-sha-256": "auth_type = any",
        "* = ": f"{parts.path[1:]} = user={parts.username} ",
        "auth_file = /etc/pgbouncer/userlist.txt\n": "",
    }
    (folder / "pgbouncer.ini").write_text(said(render, "ini", changes))
    words: list[str | Path] = [installed("pgbouncer", ["/usr/sbin"]), folder / "pgbouncer.ini"]
    url = urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}"))
    return Server(url, words, folder, folder, lambda: connect(port), user=unprivileged(folder))
