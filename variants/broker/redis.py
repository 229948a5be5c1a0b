"""How Celery talks to Redis. Redis may lose a message; a job's row brings it back."""

import re
from typing import Any
from urllib.parse import urlsplit

from groundwork.broker_urls import TLS, Broker, read_broker, tls_options

# Of BROKER_URL, and the parameters that each may have.
SCHEMES: dict[str, frozenset[str]] = {
    "redis": frozenset(),
    "rediss": TLS,
    "redis+socket": frozenset({"virtual_host"}),
    "sentinel": TLS | {"master_name", "sentinel_username", "sentinel_password"},
}
BROKER_SETTINGS: dict[str, Any] = {
    "broker_transport_options": {
        # Seconds until an unacknowledged message is delivered again: above the longest task.
        "visibility_timeout": 3600,
        "socket_connect_timeout": 2,
        "socket_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
    },
}
# Seconds, for what is sent while a request or its client waits.
IMPATIENT: dict[str, Any] = {"socket_connect_timeout": 1, "socket_timeout": 1}


def celery_settings(urls: str) -> dict[str, Any]:
    """Celery's settings for BROKER_URL; raises ValueError with a sentence where that cannot work."""
    broker = read_broker(urls, SCHEMES)
    _refuse_what_kombu_cannot(broker)
    # Without it kombu would believe every certificate.
    tls: dict[str, Any] = {}
    if broker.scheme == "rediss" or TLS & broker.parameters.keys():
        tls = {f"ssl_{name}": value for name, value in tls_options(broker.parameters).items()}
    database = f"?virtual_host={broker.parameters['virtual_host']}" if "virtual_host" in broker.parameters else ""
    options = BROKER_SETTINGS["broker_transport_options"]
    if broker.scheme == "sentinel":
        options = options | _of_sentinel(broker.parameters, tls)
    return BROKER_SETTINGS | {
        "broker_url": ";".join(url + database for url in broker.urls),
        "broker_use_ssl": tls or None,
        "broker_transport_options": options,
    }


def _refuse_what_kombu_cannot(broker: Broker) -> None:
    paths = [urlsplit(url).path for url in broker.urls]
    if broker.scheme == "redis+socket":
        if len(broker.urls) > 1:
            raise ValueError("has several redis+socket:// URLs, between which Celery cannot change; write one")
        paths = [broker.parameters.get("virtual_host", "")]
    if wrong := [path for path in paths if not re.fullmatch(r"/?\d*", path)]:
        raise ValueError(
            f"names the database {wrong[0].removeprefix('/')!r} of Redis; write its number, as in redis://host:6379/0"
        )
    users = {urlsplit(url).username or "default" for url in broker.urls if urlsplit(url).password is None}
    if users - {"default"}:
        # Its name may be what was meant as the password: it is not repeated.
        raise ValueError("names a user and no password; write redis://:password@host where there is only a password")
    if broker.scheme == "sentinel":
        if not broker.parameters.get("master_name"):
            raise ValueError("names no master; write sentinel://host:26379/0?master_name=mymaster")
        alike = {
            (urlsplit(url).netloc.rpartition("@")[0], path.strip("/"))
            for url, path in zip(broker.urls, paths, strict=True)
        }
        if len(alike) > 1:
            raise ValueError("has another user, password or database in one of its URLs; write the same in all of them")


def _of_sentinel(parameters: dict[str, str], tls: dict[str, Any]) -> dict[str, Any]:
    """User and password of the URL are those of Redis itself; the sentinels may have their own."""
    names = ("sentinel_username", "sentinel_password")
    asked: dict[str, Any] = {name.removeprefix("sentinel_"): parameters[name] for name in names if name in parameters}
    asked |= {"socket_connect_timeout": 2, "socket_timeout": 5}
    return {"master_name": parameters["master_name"], "sentinel_kwargs": asked | ({"ssl": True} | tls if tls else {})}
