"""Mail has a queue of its own, which every worker consumes that is not told otherwise."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from work import Then, act, add_users

from app.accounts.models import User
from app.accounts.tasks import send_job_failed
from app.settings import API
from app.worker import celery
from groundwork.jobs import Job, Status, enqueue
from groundwork.jobs.broker_queues import MAIL
from groundwork.jobs.running_job import RunningJob
from groundwork.testing import Outbox, RunJob, Worker, until

JOBS = celery.conf.task_default_queue


@pytest.mark.parametrize(
    ("include", "exclude", "consumed"),
    [
        ([], [], [JOBS, f"{JOBS}-mail"]),
        ([JOBS, "video"], [], [JOBS, f"{JOBS}-mail", "video"]),
        (["mail"], [], [f"{JOBS}-mail"]),
        (["video"], [], ["video"]),
        ([], ["mail"], [JOBS]),
        ([JOBS], ["mail"], [JOBS]),
    ],
    ids=["all", "-Q jobs,video", "-Q mail", "-Q video", "-X mail", "-Q jobs -X mail"],
)
def test_a_worker_consumes_the_queue_of_mail_unless_it_is_told_otherwise(
    include: list[str], exclude: list[str], consumed: list[str]
) -> None:
    queues: Any = celery.amqp.Queues([])

    # None is what Celery says without -Q.
    queues.select(include or None)
    queues.deselect(exclude)

    assert sorted(queues.consume_from) == sorted(consumed)


def test_so_it_is_with_queues_of_the_services_own_configuration() -> None:
    queues = celery.amqp.Queues([celery.amqp.queues.new_missing("ours")])

    assert sorted(queues.consume_from) == sorted(["ours", f"{JOBS}-mail"])


def test_a_link_is_mailed_while_many_long_jobs_wait(
    client: TestClient, user: User, session: Session, worker: Worker, outbox: Outbox
) -> None:
    for _ in range(300):
        enqueue(session, add_users, count=1, seconds=0.4)
    session.commit()
    until(lambda: session.scalar(select(Job.id).where(Job.status == Status.RUNNING)))

    client.post(f"{API}/auth/forgotten-password", json={"email": user.email})
    # All of them would take a minute.
    until(outbox, 15)

    session.execute(delete(Job).where(Job.status == Status.QUEUED))
    session.commit()
    assert [message["to"] for message in outbox()] == [user.email]


def test_the_mail_about_a_failed_job_waits_there_too(user: User, session: Session, run_job: RunJob, then: Then) -> None:
    def fail(_: RunningJob) -> None:
        raise RuntimeError

    then(fail)
    job = enqueue(session, act, owner=user.id)
    job.attempts = 7
    session.commit()

    run_job(job)

    assert session.scalars(select(Job.queue).where(Job.task == send_job_failed.name)).one() == MAIL
