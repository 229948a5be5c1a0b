"""Fixtures for tests of jobs: run one in this process, and see what was published."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from celery.result import EagerResult
from sqlalchemy.orm import Session

from groundwork.configuration import configuration
from groundwork.jobs import Job

__all__ = ["Published", "RunJob", "published", "run_job"]

RunJob = Callable[..., EagerResult[object]]


@pytest.fixture
def run_job(session: Session) -> RunJob:
    """Deliver the message of a job, or of several, once, to this process; then `session` shows the rows as they are."""

    def run(job: Job, *others: Job) -> EagerResult[object]:
        ids = tuple(str(one.id) for one in (job, *others))
        task = configuration().celery.tasks[job.task]
        result: EagerResult[object] = task.apply(ids if others else (), task_id=str(uuid4()) if others else ids[0])
        session.expire_all()
        return result

    return run


Published = Callable[[], list[str]]


@pytest.fixture
def published() -> Iterator[Published]:
    """The messages published so far, each as the ids of its jobs; taken out of the queues."""
    celery = configuration().celery
    with celery.connection_or_acquire() as connection:
        queues = [queue.bind(connection.default_channel) for queue in celery.amqp.queues.consume_from.values()]

        def take() -> list[str]:
            messages = []
            for queue in queues:
                while message := queue.get():
                    message.ack()
                    ids, named, _ = message.payload
                    assert named == {}, "the row has the arguments"
                    messages.append(" ".join(ids or [message.headers["id"]]))
            return messages

        for queue in queues:
            queue.declare()
            queue.purge()
        yield take
