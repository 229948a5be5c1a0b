from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from work import add_user

from app.accounts.models import User
from app.accounts.tasks import note_sign_in, send_welcome
from app.worker import celery
from groundwork.jobs.arguments import arguments_of
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.jobs.outdated import housekeeping
from groundwork.jobs.publishing import publish_due
from groundwork.jobs.running_job import RunningJob
from groundwork.jobs.task import JobTask
from groundwork.testing import Published, RunJob


def test_a_job_vanishes_with_the_transaction_that_asked_for_it(session: Session) -> None:
    enqueue(session, send_welcome, user_id=uuid4())
    session.flush()

    session.rollback()

    assert session.scalar(select(func.count()).select_from(Job)) == 0


def test_wrong_arguments_are_an_error_of_the_caller(session: Session) -> None:
    with pytest.raises(ValidationError, match="user_id"):
        enqueue(session, send_welcome, user_id="not an id")
    with pytest.raises(ValidationError, match="Extra inputs"):
        enqueue(session, send_welcome, user_id=uuid4(), user_name="Ada")


def test_a_function_that_no_worker_can_run_is_refused() -> None:
    def secret(job: RunningJob, password: SecretStr) -> None: ...
    def row(job: RunningJob, user: User) -> None: ...
    def taken(job: RunningJob, owner: str) -> None: ...
    def maybe(job: RunningJob, password: SecretStr | None) -> None: ...
    def any_of(job: RunningJob, **options: str) -> None: ...
    def without_job(user_id: UUID) -> None: ...
    def without_anything() -> None: ...
    async def coroutine(job: RunningJob) -> None: ...

    for function, sentence in (
        (maybe, "pass an id"),
        (any_of, "an annotation of its own"),
        (secret, "pass an id"),
        (row, "pass ids, never rows"),
        (taken, "another name"),
        (without_job, "write `job: RunningJob`"),
        (without_anything, "write `job: RunningJob`"),
        (coroutine, "write `def`, not `async def`"),
    ):
        with pytest.raises(TypeError, match=sentence):
            arguments_of("task", function)


def test_a_job_task_cannot_be_started_without_its_row() -> None:
    with pytest.raises(TypeError, match="use enqueue"):
        send_welcome.delay(user_id=uuid4())


def test_a_plain_task_is_no_job(session: Session) -> None:
    plain: Any = note_sign_in
    with pytest.raises(TypeError, match=r"note_sign_in is a plain task; send it with try_delay\(\), or"):
        enqueue(session, plain, user_id="1")


def test_a_job_waits_for_its_time(session: Session, run_job: RunJob, published: Published) -> None:
    job = enqueue(session, housekeeping, run_at=datetime.now(UTC) + timedelta(hours=1))
    session.commit()

    publish_due(celery)
    run_job(job)

    assert published() == []
    assert job.status == Status.QUEUED


def test_a_time_without_a_time_zone_is_refused(session: Session) -> None:
    with pytest.raises(ValueError, match=r"run_at=2030-01-01T00:00:00 has no time zone; use datetime\.now\(UTC\)"):
        enqueue(session, housekeeping, run_at=datetime(2030, 1, 1))


def test_of_two_jobs_with_one_key_the_database_takes_one(session: Session) -> None:
    enqueue(session, housekeeping, unique_key="today")
    session.commit()

    enqueue(session, housekeeping, unique_key="today")
    with pytest.raises(IntegrityError, match="jobs_unique_key_key"):
        session.commit()


def test_a_job_goes_to_the_queue_that_its_caller_or_its_task_names(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "queue", "slow", raising=False)
    jobs = [enqueue(session, housekeeping, queue=queue) for queue in ("urgent", None)]
    jobs.append(enqueue(session, send_welcome, user_id=uuid4()))

    jobs.append(enqueue(session, add_user, email="ada@example.org"))

    assert [job.queue for job in jobs] == ["urgent", "slow", "mail", None]


def test_a_job_of_another_queue_is_published_there(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[object] = []
    monkeypatch.setattr(celery, "send_task", lambda *_, **options: sent.append(options["queue"]))
    enqueue(session, housekeeping, queue="urgent")
    session.commit()

    publish_due(celery)

    # One process that feeds itself has one queue.
    assert sent == [None if celery.conf.broker_url.startswith("memory:") else "urgent"]


def test_of_two_time_limits_one_may_be_left_out() -> None:
    def soft(job: RunningJob) -> None: ...
    def hard(job: RunningJob) -> None: ...

    tasks = (
        celery.task(base=JobTask, soft_time_limit=100)(soft),
        celery.task(base=JobTask, time_limit=100)(hard),
        housekeeping,
    )
    limits = [(task.soft_time_limit, task.time_limit) for task in tasks]
    for task in tasks[:2]:
        celery.tasks.pop(task.name)

    assert limits == [(100, 160), (90, 100), (1800, 1860)]
