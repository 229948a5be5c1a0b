"""The environment of `app dev`: one at a time in a folder, with what needs nothing installed."""

import errno
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from groundwork.embedded import embedded_postgres
from groundwork.settings import SettingsInvalid

__all__ = ["FOLDER", "alone", "development_environment", "url_of"]

FOLDER = Path(".dev")
ENVIRONMENT = FOLDER / "env"


@contextmanager
def alone() -> Iterator[None]:
    """The only one in this folder: two would share one database and one .dev/env."""
    with _refusing_what_cannot_be_used():
        FOLDER.mkdir(exist_ok=True)
        # This process alone holds it, none that it starts: it is free when this one ends, however that happens.
        lock = (FOLDER / "lock").open("w")
    with lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            address = dotenv_values(ENVIRONMENT).get("PUBLIC_URL", "an address that it will print")
            raise SettingsInvalid(f"`app dev` runs already in this folder, at {address}; stop it first.") from None
        yield


@contextmanager
def development_environment(host: str, port: int) -> Iterator[dict[str, str]]:
    """The services that a person has named, and for the rest what needs nothing installed.

    Kept in .dev/env meanwhile, so that `app doctor` or `app create-admin` in a second terminal
    work on the same database. A .env made for production decides neither the environment nor
    where mail goes: only a variable of this terminal does.
    """
    _refuse_a_taken_port(host, port)
    with _refusing_what_cannot_be_used():
        values = _values(host, port)
        ENVIRONMENT.touch(mode=0o600)
        ENVIRONMENT.write_text("".join(f"{name}='{_quoted(value)}'\n" for name, value in values.items()), "utf-8")
    try:
        yield values
    finally:
        ENVIRONMENT.unlink(missing_ok=True)


def _values(host: str, port: int) -> dict[str, str]:
    written = dotenv_values(".env", encoding="utf-8-sig")
    given = {name: value for name, value in {**written, **os.environ}.items() if value}
    # Both from one place: never one database for requests, and another for everything else.
    databases = os.environ if {"DATABASE_URL", "DIRECT_DATABASE_URL"} & os.environ.keys() else written
    direct = databases.get("DIRECT_DATABASE_URL")
    database = databases.get("DATABASE_URL") or direct or embedded_postgres(FOLDER / "postgres")
    return {
        "ENVIRONMENT": "development",
        "PUBLIC_URL": os.environ.get("PUBLIC_URL", url_of(host, port)),
        "MAIL_DRY_RUN": os.environ.get("MAIL_DRY_RUN", "true"),
        "MAIL_OUTBOX": os.environ.get("MAIL_OUTBOX", str(FOLDER / "outbox")),
        # Below our own patience with the worker: it gives its jobs back before it is killed.
        "WORKER_STOP_SECONDS": given.get("WORKER_STOP_SECONDS") or "3",
        "SECRET_KEY": given.get("SECRET_KEY") or _kept_secret(FOLDER / "secret_key"),
        "DATABASE_URL": database,
        "DIRECT_DATABASE_URL": direct or database,
        "BROKER_URL": given.get("BROKER_URL") or "memory://localhost",
    }


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


@contextmanager
def _refusing_what_cannot_be_used() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # Another user's, most likely.
        where = error.filename or FOLDER.absolute()
        raise SettingsInvalid(
            f"`app dev` cannot use {where}: {error.strerror}; work in a folder that is yours."
        ) from None
    except UnicodeDecodeError as error:
        raise SettingsInvalid(f".env: {error.reason} at byte {error.start}; save it as UTF-8.") from None


def url_of(host: str, port: int) -> str:
    """Where a browser of this machine finds what listens there."""
    if not host.strip("0.:"):
        # Every address of this machine.
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refuse_a_taken_port(host: str, port: int) -> None:
    try:
        addresses = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # A name may have several, and the server listens on each that this machine has.
        for family, _, _, _, address in addresses:
            try:
                _bind(family, address)
            except OSError as error:
                if len(addresses) == 1 or error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
    except OSError as error:
        raise SettingsInvalid(f"{host}:{port}: {error.strerror}; choose another --host or --port.") from None


def _bind(family: int, address: Any) -> None:
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # As the server does, or this would take the port of IPv4, too.
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.bind(address)


def _kept_secret(file: Path) -> str:
    """A random secret, made at the first call: signed-in users stay so through restarts."""
    # A full disk leaves an empty one behind.
    if not file.exists() or not file.read_text():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(48))
    return file.read_text()
