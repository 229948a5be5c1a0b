"""What the broker and Celery know of queues: those that workers consume, a job's queue, its messages, whose fault an error is."""

from typing import Any

from celery import Celery
from celery.app.amqp import AMQP, Queues
from celery.exceptions import QueueNotFound
from kombu.exceptions import OperationalError

from groundwork.settings import get_settings

__all__ = ["MAIL", "QueuesWithMail", "broker_is_away", "messages_in", "named_queue", "queue_of"]

# What tasks, jobs and `-Q` call the queue of mail; the broker's has the default queue's name too, which is a service's own.
MAIL = "mail"


class _Queues(Queues):
    default = ""

    def select(self, include: Any) -> None:
        """Consume these queues; with that of all other jobs also that of mail, unless `-X mail` takes it away."""
        super().select(include)
        if include and self.default in self.consume_from:
            self.select_add(self[MAIL])


class QueuesWithMail(AMQP):
    """The queues of the service's configuration, and the one of mail: workers without `-Q` consume all of them."""

    queues_cls = _Queues

    # The name is Celery's: it makes the queues of each application by this method.
    def Queues(self, *args: Any, **kwargs: Any) -> Queues:  # noqa: N802
        queues = super().Queues(*args, **kwargs)
        default = str(self.app.conf.task_default_queue)
        vars(queues)["default"] = default
        mail: Any = queues.new_missing(f"{default}-{MAIL}")
        mail.alias = MAIL
        queues.select_add(mail)
        return queues


def named_queue(row: Any) -> str | None:
    """The queue that Celery is told for a job; None leaves it to Celery's own routing."""
    # A process that feeds itself consumes no others.
    return row.queue if row.queue == MAIL or not get_settings().in_memory_broker else None


def queue_of(celery: Celery, row: Any) -> str:
    """The broker's queue of a job."""
    queue = named_queue(row)
    if queue is None and get_settings().in_memory_broker:
        return str(celery.conf.task_default_queue)
    try:
        routed = celery.amqp.router.route({"queue": queue} if queue else {}, row.task)
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
