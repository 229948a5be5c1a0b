"""What `app doctor` finds on RabbitMQ beside a server that answers. Only where RabbitMQ is the broker."""

from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Producer, Queue
from support import run

from app.worker import celery
from groundwork.jobs.broker_queues import QueuesWithMail
from groundwork.testing import until


@pytest.fixture
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of the default queue, as if JOB_QUEUE had been another from the start."""
    name = f"{getattr(request, 'param', '')}{celery.conf.task_default_queue}-doctor"
    monkeypatch.setitem(celery.conf, "task_default_queue", name)
    # It keeps the queues that it has made.
    monkeypatch.setattr(celery, "amqp", QueuesWithMail(celery))
    yield name
    if name.startswith("amq."):
        return
    with celery.connection_for_write() as connection:
        channel: Any = connection.default_channel
        for queue in (name, f"{name}-mail"):
            channel.queue_delete(queue)
            channel.exchange_delete(queue)


def broker_line() -> str:
    return next(line for line in run("doctor")[1].splitlines() if "  broker " in line)


def declare(**properties: Any) -> None:
    with celery.connection_for_write() as connection:
        Queue(**properties).bind(connection.default_channel).declare()


def test_the_doctor_declares_what_a_worker_would(name: str) -> None:
    assert broker_line().startswith("ok")

    # Otherwise refused.
    declare(name=name, queue_arguments={"x-queue-type": "quorum"})
    declare(name=f"{name}-mail", queue_arguments={"x-queue-type": "quorum"})


@pytest.mark.parametrize("which", ["", "-mail"])
def test_a_queue_of_another_type_is_found(name: str, which: str) -> None:
    declare(name=name + which)

    line = broker_line()

    assert line.startswith("!!")
    assert f"has the queue {name}{which} with other properties (PRECONDITION_FAILED - " in line
    assert f"  ->  delete it (its jobs are sent again): rabbitmqctl delete_queue {name}{which} --vhost " in line


@pytest.mark.parametrize("name", ["amq."], indirect=True)
def test_a_queue_that_may_not_be_declared_is_found(name: str) -> None:
    line = broker_line()

    assert line.startswith("!!")
    assert f"does not let its user do all that workers and relays do (ACCESS_REFUSED - queue name '{name}'" in line
    assert "  ->  rabbitmqctl set_permissions -p " in line


def test_messages_stay_as_they_are(name: str) -> None:
    declare(name=name, queue_arguments={"x-queue-type": "quorum"})
    with celery.connection_for_write() as connection:
        channel: Any = connection.default_channel
        for body in ("one", "two"):
            Producer(channel).publish(body, routing_key=name)

        assert broker_line().startswith("ok")

        got = [until(lambda: Queue(name).bind(channel).get(no_ack=True)).payload for _ in range(2)]
        assert got == ["one", "two"]
        assert Queue(name).bind(channel).get() is None
