"""How Celery talks to RabbitMQ: replicated queues and confirmed publishing."""

from typing import Any

from kombu.transport import TRANSPORT_ALIASES
from kombu.transport.pyamqp import SSLTransport

from groundwork.broker_urls import TLS, read_broker, tls_options

# Of BROKER_URL, and the parameters that each may have.
_ALL = frozenset({"heartbeat", "login_method"})
SCHEMES: dict[str, frozenset[str]] = {"amqp": _ALL, "amqps": _ALL | TLS, "pyamqp": _ALL}
BROKER_SETTINGS: dict[str, Any] = {
    "task_default_queue_type": "quorum",
    "task_create_missing_queue_type": "quorum",
    "task_default_exchange_type": "topic",
    "broker_heartbeat": 10,
    "broker_connection_timeout": 3,
    "broker_transport_options": {
        "confirm_publish": True,
        "confirm_timeout": 5,
        "read_timeout": 10,
        "write_timeout": 5,
    },
}
# Seconds, for what is sent while a request or its client waits.
IMPATIENT: dict[str, Any] = {"connect_timeout": 1, "confirm_timeout": 1, "read_timeout": 1, "write_timeout": 1}


class VerifyingTransport(SSLTransport):
    """Asks each of several hosts for its own certificate; kombu asks all of them for that of the first."""

    def establish_connection(self) -> Any:
        client: Any = self.client
        # kombu changes localhost into 127.0.0.1, which is another name.
        host = client.hostname or "localhost"
        if isinstance(client.ssl, dict) and "server_hostname" in client.ssl:
            client.ssl = client.ssl | {"server_hostname": host}
        try:
            return super().establish_connection()
        finally:
            client.hostname = host


TRANSPORT_ALIASES["amqps"] = f"{__name__}:{VerifyingTransport.__name__}"


def celery_settings(urls: str) -> dict[str, Any]:
    """Celery's settings for BROKER_URL; raises ValueError with a sentence where that cannot work."""
    broker = read_broker(urls, SCHEMES)
    made = BROKER_SETTINGS | {"broker_url": ";".join(broker.urls), "broker_use_ssl": None}
    if broker.scheme == "amqps":
        tls = tls_options(broker.parameters)
        # py-amqp looks at the name when it gets one; the transport above says which.
        made["broker_use_ssl"] = tls | {"server_hostname": None} if tls.pop("check_hostname") else tls
    if "login_method" in broker.parameters:
        made["broker_login_method"] = broker.parameters["login_method"]
    if heartbeat := broker.parameters.get("heartbeat"):
        if not heartbeat.isdecimal():
            raise ValueError(f"has heartbeat={heartbeat}; write a number of seconds")
        made["broker_heartbeat"] = int(heartbeat)
    return made
