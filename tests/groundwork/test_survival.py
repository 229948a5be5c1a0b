"""The promise, in short: whatever dies, an accepted job runs, and its effect happens once."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select
from support import cut_connections
from work import add_user_in_company, add_users

from app.accounts.models import User
from app.worker import celery
from groundwork.data import new_session
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.testing import Worker, until


@pytest.mark.usefixtures("loss_noticed")
def test_every_job_has_one_effect_whatever_dies(worker: Worker) -> None:
    accepted: dict[UUID, str] = {}

    def accept(seconds: float = 0.05) -> None:
        for _ in range(5):
            with new_session() as session:
                jobs = [
                    enqueue(session, add_users, count=1, seconds=seconds),
                    enqueue(session, add_user_in_company, email=f"{uuid4()}@example.org"),
                ]
                session.commit()
                accepted.update({job.id: job.task for job in jobs})

    # Long enough to be seen, and killed, in their midst.
    accept(seconds=0.5)
    until(one_runs)
    worker.kill()
    worker.start()
    accept()
    cut_connections()
    # Each message once more, and then none at all.
    for job_id, task in accepted.items():
        celery.send_task(task, task_id=str(job_id))
    accept()
    celery.control.purge()
    accept()
    until(all_succeeded, seconds=60)

    with new_session() as session:
        # Not those that the schedule may have made meanwhile.
        ours = select(Job.id).where(Job.task.in_(accepted.values()))
        assert set(session.scalars(ours)) == set(accepted)
        assert session.scalar(select(func.count()).select_from(User)) == len(accepted)


def one_runs() -> bool:
    with new_session() as session:
        return session.scalar(select(func.count()).where(Job.status == Status.RUNNING)) != 0


def all_succeeded() -> bool:
    with new_session() as session:
        return session.scalar(select(func.count()).where(Job.status != Status.SUCCEEDED)) == 0
