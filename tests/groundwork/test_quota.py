"""A mail provider that takes no more for today does not use up the attempts of a job."""

from datetime import timedelta

import pytest
import work
from sqlalchemy import func, update
from sqlalchemy.orm import Session
from work import add_user

from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.jobs.running_job import RunningJob
from groundwork.mail.failures import QuotaExhausted
from groundwork.testing import RunJob


def exhausted(_: RunningJob) -> None:
    raise QuotaExhausted("Tomorrow again.")


def test_a_job_outlasts_a_quota_for_a_month(session: Session, run_job: RunJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "then", exhausted)
    job = enqueue(session, add_user, email="ada@example.org")
    session.commit()

    for _ in range(add_user.max_attempts + 1):
        session.execute(update(Job).values(run_at=func.now()))
        session.commit()
        run_job(job)
    assert (job.status, job.attempts, len(job.history)) == (Status.QUEUED, 0, add_user.max_attempts + 1)

    session.execute(update(Job).values(run_at=func.now(), created_at=func.now() - timedelta(days=33), attempts=2))
    session.commit()
    run_job(job)
    assert (job.status, job.attempts) == (Status.FAILED, 3)
