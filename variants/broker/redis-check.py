"""Whether Redis lets workers and relays do what they do: it is asked in a transaction that is given up."""

from collections.abc import Iterator
from typing import Any

from celery import Celery
from kombu import Connection
from redis.exceptions import (
    ClusterCrossSlotError,
    ClusterError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)

__all__ = ["what_it_refuses"]

# Of a user of Redis, for the keys and the channels of this database.
RIGHTS = "~* &* +@read +@write +@pubsub +@transaction +@scripting +@connection +time"


def what_it_refuses(connection: Connection, celery: Celery) -> tuple[str, str] | None:
    """What a worker or a relay would be refused, and the remedy; None where everything is allowed."""
    channel: Any = connection.default_channel
    queues = list(celery.amqp.queues.consume_from.values())
    errors = list(_refusals(channel, [queue.name for queue in queues]))
    for error, _ in errors:
        if not isinstance(error, NoPermissionError):
            return _told(error)
    if errors:
        # The words say which command, key or channel.
        says = "; ".join(dict.fromkeys(f"{command}: {error}" for error, command in errors[:3]))
        return f"does not let its user do all that workers and relays do ({says})", f"ACL SETUSER <user> {RIGHTS}"
    for queue in queues:
        try:
            queue.bind(channel).declare()
        except ResponseError as error:
            says = f"has something else under the name of the queue {queue.name} ({error})"
            return says, f"delete it, or choose another JOB_QUEUE: redis-cli DEL {queue.name}"
    return None


def _told(error: ResponseError) -> tuple[str, str]:
    if isinstance(error, (ClusterError, ClusterCrossSlotError, MovedError)):
        return "is a Redis Cluster, which Celery cannot use", "name a single server, or sentinel://, in BROKER_URL"
    if isinstance(error, ReadOnlyError):
        return "is a replica, and takes no messages", "name the primary, or sentinel://, in BROKER_URL"
    if isinstance(error, OutOfMemoryError):
        return "is full, and takes no messages", "raise its maxmemory, or delete what fills it"
    if "unknown command" in str(error):
        return f"is no Redis that Celery can use ({error})", "name Redis itself, or sentinel://, in BROKER_URL"
    return f"takes no messages: {error}", "see its log"


def _refusals(channel: Any, queues: list[str]) -> Iterator[tuple[ResponseError, str]]:
    """Redis judges a command when it joins a transaction, and does nothing of a transaction that is given up."""
    with channel.conn_or_acquire() as client:
        one = client.connection_pool.get_connection()
        try:
            for words in (("WATCH", channel.unacked_key), ("MULTI",), *_commands(channel, queues)):
                one.send_command(*words)
                try:
                    one.read_response()
                except ResponseError as error:
                    yield error, str(words[0])
                    if words[0] == "MULTI":
                        # What follows would really happen.
                        return
        finally:
            # With the connection the transaction ends, also where DISCARD is not allowed.
            one.disconnect()
            client.connection_pool.release(one)


def _commands(channel: Any, queues: list[str]) -> Iterator[tuple[Any, ...]]:
    """What kombu says to Redis for a worker and a relay."""
    prefix, fanout = channel.global_keyprefix, channel.keyprefix_fanout
    keys = [prefix + channel._q_for_pri(queue, step) for step in channel.priority_steps for queue in queues]
    for queue in queues:
        key = prefix + queue
        yield from (("LPUSH", key, ""), ("RPUSH", key, ""), ("RPOP", key), ("LLEN", key), ("EXISTS", key))
    yield "BRPOP", *keys, 1
    tables = [prefix + channel.keyprefix_queue % (exchange,) for exchange in (*queues, "celery.pidbox")]
    for table in tables:
        yield from (("SADD", table, ""), ("SREM", table, ""), ("SMEMBERS", table))
    unacked, index, mutex = (
        prefix + name for name in (channel.unacked_key, channel.unacked_index_key, channel.unacked_mutex_key)
    )
    yield from (("HSET", unacked, "", ""), ("HGET", unacked, ""), ("HDEL", unacked, ""))
    yield from (("ZADD", index, 0, ""), ("ZREM", index, ""), ("ZRANGE", index, 0, 0))
    yield from (("SET", mutex, "", "NX", "PX", 1), ("GET", mutex), ("DEL", mutex), ("EVALSHA", "0" * 40, 1, mutex))
    yield from (("SCRIPT", "LOAD", ""), ("TIME",), ("PUBLISH", f"{prefix}{fanout}celeryev/worker.heartbeat", ""))
    yield from (("PSUBSCRIBE", f"{prefix}{fanout}celery.pidbox"), ("PUBLISH", f"{prefix}{fanout}celery.pidbox", ""))
