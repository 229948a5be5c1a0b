"""BROKER_URL in parts. What cannot work is refused before anything starts, in one sentence without a password."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from ssl import PROTOCOL_TLS_CLIENT, SSLContext, SSLError, VerifyMode
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from groundwork.urls import UNREADABLE, place_of, readable_broker

__all__ = ["STRONGER", "TLS", "Broker", "read_broker", "refuse_stronger", "tls_options"]

# Parameters of a URL whose connections are encrypted.
TLS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"})
# Values of parameters, where these are no files.
VALUES = {
    "ssl_cert_reqs": ("required", "none", "optional", "CERT_REQUIRED", "CERT_NONE", "CERT_OPTIONAL"),
    "login_method": ("PLAIN", "AMQPLAIN", "EXTERNAL"),
    "ssl_check_hostname": ("true", "false", "True", "False"),
}
# Parameters that other clients understand, and what to write for them.
OF_OTHERS = {
    "cacertfile": "write ssl_ca_certs",
    "certfile": "write ssl_certfile",
    "keyfile": "write ssl_keyfile",
    "verify": "remove it: certificates are verified",
    "ssl": "write amqps:// or rediss:// for an encrypted connection",
    "username": "write it before the host, as in ://user:password@host",
    "db": "write it after the host, as in ://host:6379/1",
    "password": "write it before the host, as in ://user:password@host",
    "master": "write master_name",
    "service_name": "write master_name",
    "auth_mechanism": "write login_method=EXTERNAL",
}
# Celery believes these variables more than its configuration.
STRONGER = ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL")


class Broker(NamedTuple):
    """What BROKER_URL says: its URLs without their parameters, which hold for all of them."""

    scheme: str
    urls: list[str]
    parameters: dict[str, str]


def read_broker(urls: str, known: Mapping[str, Collection[str]]) -> Broker:
    """BROKER_URL in parts; `known` has the parameters of each scheme. Raises ValueError with a sentence."""
    parts = [part for part in readable_broker(urls).split(";") if part]
    if parts and "://" in parts[0] and not all("://" in part for part in parts):
        raise ValueError(f"{UNREADABLE}; and each of several URLs begins with its scheme")
    if not parts or "://" not in parts[0]:
        raise ValueError(UNREADABLE)
    schemes = sorted({part.partition("://")[0] for part in parts})
    if not set(schemes) <= known.keys():
        usable = " or ".join(f"{scheme}://" for scheme in known)
        raise ValueError(f"{place_of(urls)} is not supported; use {usable}")
    if len(schemes) > 1:
        raise ValueError(f"has {' and '.join(schemes)} in one list; write one of them for all of its URLs")
    refuse_stronger(urls)
    parameters: dict[str, str] = {}
    for part in parts:
        for name, value in parse_qsl(urlsplit(part).query, keep_blank_values=True):
            _check(schemes[0], name, value, known)
            if parameters.setdefault(name, value) != value:
                raise ValueError(f"has {name!r} twice, with two values; it holds for all of its URLs")
    return Broker(schemes[0], [part.partition("?")[0] for part in parts], parameters)


def refuse_stronger(urls: str) -> None:
    """Raise ValueError with a sentence where a variable of Celery's names another broker."""
    if stronger := [name for name in STRONGER if os.environ.get(name, "") not in {"", urls}]:
        raise ValueError(f"is not what Celery would use: {stronger[0]} is set too; unset that one")


def _check(scheme: str, name: str, value: str, known: Mapping[str, Collection[str]]) -> None:
    if name not in known[scheme]:
        remedy = OF_OTHERS.get(name, "remove it")
        if name in TLS:
            encrypted = [other for other, names in known.items() if name in names]
            remedy = f"write {encrypted[0]}:// for an encrypted connection, or remove it"
        raise ValueError(f"has the parameter {name!r}, which {scheme}:// does not have; {remedy}")
    if name in VALUES and value not in VALUES[name]:
        raise ValueError(f"has {name}={value}; write {' or '.join(VALUES[name][:3])}")
    if name in TLS - VALUES.keys() and not Path(value).is_file():
        raise ValueError(f"names {value} as {name}, and there is no such file; write its whole path")


def tls_options(parameters: Mapping[str, str]) -> dict[str, Any]:
    """What Python's ssl is told. Without parameters the server needs a certificate that this machine trusts, for its host."""
    reqs = VerifyMode[f"CERT_{parameters.get('ssl_cert_reqs', 'required').removeprefix('CERT_').upper()}"]
    named = parameters.get("ssl_check_hostname", "true").lower() == "true"
    files = {name.removeprefix("ssl_"): parameters[name] for name in sorted(TLS - VALUES.keys()) if name in parameters}
    _load(files)
    return files | {"cert_reqs": reqs, "check_hostname": named and reqs is not VerifyMode.CERT_NONE}


def _load(files: Mapping[str, str]) -> None:
    """Raise ValueError with a sentence for files that no connection could be made with."""
    if "keyfile" in files and "certfile" not in files:
        raise ValueError("has ssl_keyfile without ssl_certfile; write both")
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    for name in sorted(files.keys() - {"keyfile"}):
        try:
            if name == "ca_certs":
                context.load_verify_locations(files[name])
            else:
                # Nobody is there to type the password of a key.
                context.load_cert_chain(files[name], files.get("keyfile"), password=lambda: "")
        except OSError as error:
            reason = (error.reason if isinstance(error, SSLError) else error.strerror) or "it cannot be read"
            said = f"names {files[name]} as ssl_{name}, which is not of use: {reason}"
            raise ValueError(f"{said}; write files in PEM that this user may read, a key without a password") from None
