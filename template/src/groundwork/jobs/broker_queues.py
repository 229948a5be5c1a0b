"""What the broker and Celery know of queues: the name of a job's queue, its messages, and whose fault an error is."""

from typing import Any

from celery import Celery
from celery.exceptions import QueueNotFound
from kombu.exceptions import OperationalError

from groundwork.settings import get_settings

__all__ = ["broker_is_away", "messages_in", "queue_of"]


def queue_of(celery: Celery, row: Any) -> str:
    """The broker's queue of a job."""
    if get_settings().in_memory_broker:
        return str(celery.conf.task_default_queue)
    try:
        routed = celery.amqp.router.route({"queue": row.queue} if row.queue else {}, row.task)
    except QueueNotFound:
        # With `task_create_missing_queues = False`. To send the message is refused too, and then it is told.
        return str(row.queue or celery.conf.task_default_queue)
    return str(routed["queue"].name)


def messages_in(celery: Celery, queue: str) -> int:
    """How many messages of a queue the broker has that no worker was given."""
    with celery.connection_for_write() as connection:
        channel: Any = connection.default_channel
        try:
            return int(channel.queue_declare(queue=queue, passive=True).message_count)
        except connection.channel_errors:
            # There is no such queue: the broker has lost its data, or nothing was ever sent there.
            return 0


def broker_is_away(celery: Celery, error: Exception) -> bool:
    """Whether the broker cannot be reached; otherwise one of its queues refuses."""
    transport = celery.connection_for_write()
    if isinstance(error, OperationalError) and error.__cause__:
        return not isinstance(error.__cause__, transport.channel_errors)
    # Celery's error for a queue is a KeyError, which is among the errors of connections to Redis.
    return isinstance(error, (OperationalError, *transport.connection_errors)) and not isinstance(error, QueueNotFound)
