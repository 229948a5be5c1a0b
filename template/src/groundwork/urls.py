"""The URLs of databases and brokers: what they say, the place that people may see, and the passwords that they may not.

What is wrong with one is said without any part of it that may be of a password.
"""

import os
import re
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

__all__ = ["CONNECT_ARGS", "libpq_arguments", "passwords_of", "place_of", "readable_broker", "refuse_values"]

# For every connection to PostgreSQL, where the URL says nothing else: a database that falls silent is given up after
# some 20 s, not after the quarter of an hour that TCP would wait.
CONNECT_ARGS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
}
# Parameters that other drivers understand, and what to write for them.
OF_OTHERS = {
    "ssl": "write sslmode=require, or sslmode=verify-full, which also asks who answers",
    "sslcontext": "write sslmode=verify-full",
    "schema": "write options=-c%20search_path%3D and its name",
    "currentSchema": "write options=-c%20search_path%3D and its name",
    "pool_size": "set DATABASE_POOL_SIZE",
    "connection_limit": "set DATABASE_POOL_SIZE",
    "timeout": "write connect_timeout",
    "search_path": "write options=-c%20search_path%3D and its value",
    "statement_timeout": "write options=-c%20statement_timeout%3D and its value",
    "charset": "remove it: connections speak UTF-8",
    "encoding": "remove it: connections speak UTF-8",
    "sslaccept": "write sslmode=require, or sslmode=verify-full, which also asks who answers",
    "pgbouncer": "remove it, and set DIRECT_DATABASE_URL to PostgreSQL itself",
    "statement_cache_size": "remove it, and set DIRECT_DATABASE_URL to PostgreSQL itself",
    "prepared_statement_cache_size": "remove it, and set DIRECT_DATABASE_URL to PostgreSQL itself",
    "prepareThreshold": "remove it, and set DIRECT_DATABASE_URL to PostgreSQL itself",
}
# What these parameters may say.
VALUES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": ("disable", "random"),
}
# Parameters that are passwords.
SECRETS = ("password", "sentinel_password")
# A folder without a socket: what is said of it is not about the values.
NOWHERE = "/nonexistent"
UNREADABLE = (
    "cannot be read; in its user, its password and its parameters write %2F for /, %3F for ?, %23 for #, %40 for @, %3A for :, "
    "%25 for %, %3B for ; and %20 for a space"
)


def libpq_arguments(url: str) -> dict[str, Any]:
    """How each connection to this database is made, by whatever driver; raises ValueError with a sentence."""
    scheme, found, rest = url.partition("://")
    if not found:
        raise ValueError("is not a URL such as postgresql://user:password@host/name")
    if scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise ValueError(f"{scheme} is not supported; use postgresql://...")
    query = rest.partition("?")[2]
    if "@" in query:
        raise ValueError(UNREADABLE)
    for name in filter(None, (part.partition("=")[0] for part in query.split("&"))):
        if name.encode() not in _known_parameters():
            remedy = OF_OTHERS.get(name, "remove it")
            raise ValueError(f"has the parameter {name!r}, which PostgreSQL's own driver does not know; {remedy}")
    try:
        said = conninfo_to_dict(f"postgresql://{rest}")
    except psycopg.ProgrammingError:
        raise ValueError(UNREADABLE) from None
    host, ports = str(said.get("host", "")), str(said.get("port", ""))
    if "@" in f"{host}{said.get('dbname')}" or not all(re.fullmatch(r"\d{0,5}", port) for port in ports.split(",")):
        raise ValueError(UNREADABLE)
    if any(int(port or 0) > 65535 for port in ports.split(",")):
        raise ValueError(f"has the port {ports}; ports end at 65535")
    if re.search(r"(^|,)[^:,]+:\d+", host):
        raise ValueError("has ports in the parameter 'host'; write postgresql://user:password@one:5432,two:5432/name")
    _refuse_values(said)
    if said.get("sslrootcert") == "system":
        _name_the_certificates_of_the_system()
    # Whatever the server, the role or PGCLIENTENCODING would choose: with SQL_ASCII the driver returns bytes for text.
    return CONNECT_ARGS | said | {"client_encoding": "UTF8"}


def refuse_values(arguments: dict[str, Any]) -> None:
    """Raise ValueError with libpq's words for values that it takes for no server; it reads them before it connects."""
    hosts = str(arguments.get("host", "")).count(",") + 1
    # A socket has no GSSAPI.
    elsewhere = arguments | {"host": ",".join([NOWHERE] * hosts), "hostaddr": "", "gssencmode": "disable"}
    asked = psycopg.pq.PGconn.connect_start(make_conninfo("", **elsewhere).encode())
    said = asked.error_message.decode(errors="replace").strip().partition("\n")[0]
    asked.finish()
    if said and NOWHERE not in said:
        raise ValueError(f"is refused by PostgreSQL's own driver: {said}; correct that parameter, or its PG variable")


def _refuse_values(said: dict[str, Any]) -> None:
    for name, possible in VALUES.items():
        if name in said and said[name] not in possible:
            raise ValueError(f"has {name}={said[name]}; write one of {', '.join(possible)}")
    for name in (*CONNECT_ARGS, "keepalives"):
        if name in said and not str(said[name]).isdecimal():
            raise ValueError(f"has {name}={said[name]}; write a number")
    for name in ("sslrootcert", "sslcert", "sslkey"):
        if said.get(name) and said[name] != "system" and not Path(said[name]).is_file():
            raise ValueError(f"names {said[name]} as {name}, and there is no such file; write its whole path")


def _name_the_certificates_of_the_system() -> None:
    """To the OpenSSL in the wheel of psycopg, which would look for them at a place that no system has."""
    known = ssl.get_default_verify_paths()
    if not (known.cafile or known.capath):
        raise ValueError("has sslrootcert=system, and this system has no certificates; install ca-certificates")
    for name, place in (("SSL_CERT_FILE", known.cafile), ("SSL_CERT_DIR", known.capath)):
        if place:
            os.environ.setdefault(name, place)


def _known_parameters() -> set[bytes]:
    return {option.keyword for option in psycopg.pq.Conninfo.get_defaults()}


def readable_broker(urls: str) -> str:
    """The URLs of a broker as they are; raises ValueError with a sentence. Celery takes several, with semicolons."""
    for url in urls.split(";"):
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ValueError(UNREADABLE) from None
        if parts.fragment or "@" in parts.path + parts.query:
            raise ValueError(UNREADABLE)
        host = parts.netloc.rpartition("@")[2]
        if "," in host:
            several = f"{parts.scheme}://one;{parts.scheme}://two"
            raise ValueError(f"has several hosts in one URL; write {several}, each with all of it")
        if (found := re.search(r":(\d{5,6})$", host)) and int(found[1]) > 65535:
            raise ValueError(f"has the port {found[1]}; ports end at 65535")
        # What is no port is a part of a password, most likely.
        if not re.fullmatch(r"([^:]*|\[[^\]]*\])(:\d{0,5})?", host):
            raise ValueError(UNREADABLE)
    return urls


def passwords_of(urls: str) -> set[str]:
    """Those before the hosts and those among the parameters; Celery takes several URLs, with semicolons between them."""
    found = set()
    for url in map(urlsplit, urls.split(";")):
        found |= {
            unquote(url.password or ""),
            *(word for name in SECRETS for word in parse_qs(url.query).get(name, [])),
        }
    return found


def place_of(url: str) -> str:
    """The URL without its password, and of its parameters those that say where it leads; a path stays as it is."""
    scheme, found, rest = url.partition("://")
    place, _, query = rest.partition("?")
    if "@" in query:
        # A part of a password, on one side of it or the other.
        place, query = "...", ""
    parameters = "&".join(f"{name}={value}" for name, value in parse_qsl(query) if name in {"host", "port"})
    user, at, host = place.rpartition("@")
    shown = unquote(user.partition(":")[0] + at + host) + (f"?{parameters}" if parameters else "")
    return f"{scheme}://{shown}" if found else url
