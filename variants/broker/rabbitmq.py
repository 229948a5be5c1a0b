"""How Celery talks to RabbitMQ: replicated queues and confirmed publishing."""

from typing import Any

# Of BROKER_URL.
SCHEMES = ("amqp://", "amqps://", "pyamqp://")
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
