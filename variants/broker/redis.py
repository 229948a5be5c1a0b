"""How Celery talks to Redis. Redis may lose a message; a job's row brings it back."""

from typing import Any

# Of BROKER_URL.
SCHEMES = ("redis://", "rediss://", "redis+socket://", "sentinel://")
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
