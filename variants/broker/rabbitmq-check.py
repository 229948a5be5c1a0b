"""Whether RabbitMQ lets workers and relays do what they do: it is done, without any effect on messages."""

from typing import Any
from uuid import uuid4

from amqp.exceptions import AccessRefused, ChannelError, MessageNacked, PreconditionFailed
from celery import Celery
from celery.events.event import event_exchange
from kombu import Connection, Producer, Queue

__all__ = ["what_it_refuses"]


def what_it_refuses(connection: Connection, celery: Celery) -> tuple[str, str] | None:
    """What a worker or a relay would be refused, and the remedy; None where everything is allowed."""
    vhost = connection.virtual_host
    for queue in celery.amqp.queues.consume_from.values():
        try:
            channel: Any = connection.channel()
            _use(queue, channel)
            channel.close()
        except PreconditionFailed as error:
            says = f"has the queue {queue.name} with other properties ({error.reply_text})"
            remedy = f"delete it (its jobs are sent again): rabbitmqctl delete_queue {queue.name} --vhost {vhost}"
            return says, f"{remedy}; or choose another JOB_QUEUE"
        except (ChannelError, AccessRefused) as error:
            return _told(error, vhost)
        except (TimeoutError, MessageNacked):
            # Without the farewells, which it would not answer either.
            connection.collect()
            return "takes no messages", "see `rabbitmqctl status`: an alarm of its memory or its disk, most likely"
    try:
        with connection.channel() as channel:
            _answer_for_a_worker(celery, channel)
    except (ChannelError, AccessRefused) as error:
        return _told(error, vhost)
    return None


def _told(error: Any, vhost: str) -> tuple[str, str]:
    remedy = f'rabbitmqctl set_permissions -p {vhost} <user> ".*" ".*" ".*"'
    return f"does not let its user do all that workers and relays do ({error.reply_text})", remedy


def _use(queue: Queue, channel: Any) -> None:
    queue.bind(channel).declare()
    # Of a fanout every queue would get it; from others no queue asks for this key.
    if queue.exchange.type in {"direct", "topic"}:
        Producer(channel, queue.exchange, auto_declare=False).publish("", routing_key=f"{queue.name}.{uuid4()}")
    # One that is given back has another place: where there are messages, none is taken.
    if not channel.queue_declare(queue.name, passive=True).message_count and (message := channel.basic_get(queue.name)):
        channel.basic_reject(message.delivery_tag, requeue=True)


def _answer_for_a_worker(celery: Celery, channel: Any) -> None:
    """As a worker does, which tells that it lives and is asked by `app health worker`."""
    control: Any = celery.control
    mailbox = control.mailbox
    for exchange in (event_exchange, mailbox.exchange, mailbox.reply_exchange):
        exchange.bind(channel).declare()
    asked = mailbox.get_queue(f"celery@doctor-{uuid4()}").bind(channel)
    asked.declare()
    asked.delete()
