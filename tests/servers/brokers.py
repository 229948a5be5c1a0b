"""PostgreSQL, Redis and RabbitMQ that take TLS alone, and Redis with a user who may do no more than a service needs."""

import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import trustme

from private_servers import Server, new_folder, postgresql_server, rabbitmq_server, redis_server
from run_folder import RunFolder

__all__ = ["postgresql_by_tls", "rabbitmq_by_tls", "redis_by_tls"]

PASSWORD = "p/a#ss?w&rd"


def _certified(run: RunFolder, authority: trustme.CA, user: int | None = None) -> tuple[Path, Path]:
    """Files of a certificate of `localhost` and its key, which this user may read, and nobody else."""
    folder, certificate = new_folder(run), authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate")
    certificate.private_key_pem.write_to_path(folder / "key")
    (folder / "key").chmod(0o600)
    if user is not None:
        os.chown(folder / "key", user, -1)
    return folder / "certificate", folder / "key"


def postgresql_by_tls(run: RunFolder, authority: trustme.CA) -> Server:
    server = postgresql_server(run)
    certificate, key = _certified(run, authority, server.user)
    (server.data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\nhostssl all all ::1/128 trust\n")
    words: list[str | Path] = ["-c", "ssl=on", "-c", f"ssl_cert_file={certificate}", "-c", f"ssl_key_file={key}"]
    url = server.url.replace("127.0.0.1", "localhost")
    return replace(server, url=url, words=[*server.words, *words])


def redis_by_tls(run: RunFolder, authority: trustme.CA) -> Server:
    server, (certificate, key) = redis_server(run), _certified(run, authority)
    port = server.url.rpartition(":")[2].partition("/")[0]
    rules = ["reset", "on", f">{PASSWORD}", "~*", "&*", "+@all", "-@admin", "-@dangerous"]
    options: list[str | Path] = ["--tls-port", port, "--port", "0", "--tls-auth-clients", "no"]
    files: list[str | Path] = ["--tls-cert-file", certificate, "--tls-key-file", key]
    users = ["--user", "default", "off", "--user", "service", *rules]
    url = f"rediss://service:{quote(PASSWORD, safe='')}@localhost:{port}/0"
    return replace(server, url=url, words=[*server.words, *options, *files, *users])


def rabbitmq_by_tls(run: RunFolder, authority: trustme.CA) -> Server:
    server, (certificate, key) = rabbitmq_server(run), _certified(run, authority)
    port = server.url.rstrip("/").rpartition(":")[2]
    lines = {
        "listeners.tcp": "none",
        "listeners.ssl.1": f"127.0.0.1:{port}",
        "ssl_options.certfile": certificate,
        "ssl_options.keyfile": key,
    }
    (server.folder / "rabbitmq.conf").write_text("".join(f"{name} = {value}\n" for name, value in lines.items()))
    return replace(server, url=f"amqps://guest:guest@localhost:{port}//")
