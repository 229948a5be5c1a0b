"""Messages that no relay sends: they run no task on a job that is not its own, and no worker ends because of one."""

import json
import pickle
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session
from work import act, add_user, add_user_in_company, users

from app.worker import celery
from groundwork.jobs.broker_queues import messages_in
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.testing import RunJob, Worker, until

QUEUE = celery.conf.task_default_queue
NOTHING = json.dumps([[], {}, {}])
GOOD = {"task": add_user.name, "id": "x", "argsrepr": "", "kwargsrepr": ""}
PICKLE, YAML = "application/x-python-serialize", "application/x-yaml"
# What is different in each from a message of a relay: its headers, its text, and how that is written.
MESSAGES: dict[str, tuple[dict[str, Any], str | bytes, str]] = {
    "a task that is not there": (GOOD | {"task": "os.system"}, NOTHING, "application/json"),
    "a task that is a list": (GOOD | {"task": ["os.system"]}, NOTHING, "application/json"),
    "a task that is not there, without an id": ({"task": "os.system"}, NOTHING, "application/json"),
    "no id": ({"task": add_user.name}, NOTHING, "application/json"),
    "an id that is a list": (GOOD | {"id": []}, NOTHING, "application/json"),
    "an id of no job": (GOOD, NOTHING, "application/json"),
    "ids of no jobs": (GOOD, json.dumps([["x", 3], {}, {}]), "application/json"),
    "arguments that are numbers": (GOOD, "[3, 3, 3]", "application/json"),
    "a number": (GOOD, "3", "application/json"),
    "nothing": (GOOD, "", "application/json"),
    "no JSON": (GOOD, "{", "application/json"),
    "JSON of many levels": (GOOD, "[" * 100_000, "application/json"),
    "a time that is none": (GOOD | {"eta": "tomorrow", "expires": []}, NOTHING, "application/json"),
    "a limit that is none": (GOOD | {"timelimit": [1]}, NOTHING, "application/json"),
    "a number without headers": ({}, "3", "application/json"),
    "nonsense that is said to be compressed": (GOOD | {"compression": "gzip"}, NOTHING, "application/json"),
    "a pickle": (GOOD, pickle.dumps(((), {}, {})), PICKLE),
    "YAML": (GOOD, "!!python/object/apply:os.system [exit]", YAML),
}


def test_a_worker_drops_what_it_cannot_understand_and_goes_on(worker: Worker, session: Session) -> None:
    process = worker.process
    with celery.connection_for_write() as connection:
        for headers, body, content_type in MESSAGES.values():
            connection.Producer().publish(
                body,
                headers=headers,
                content_type=content_type,
                content_encoding="utf-8",
                routing_key=QUEUE,
                exchange="",
            )
        # Of Redis a channel has the client: its lists are everybody's who reaches it.
        if client := getattr(connection.default_channel, "client", None):
            client.lpush(
                QUEUE, "no JSON", "3", "{}", '{"properties": {"delivery_tag": 1}, "headers": "none"}', "[" * 100_000
            )
    job = enqueue(session, add_user, email=f"{uuid4()}@example.org")
    session.commit()

    until(lambda: session.get_one(Job, job.id, populate_existing=True).status == Status.SUCCEEDED)
    until(lambda: messages_in(celery, QUEUE) == 0)

    assert process is not None
    assert (worker.process, process.poll()) == (process, None)
    assert users(session) == 1


@pytest.mark.parametrize("together", [False, True], ids=["alone", "with others"])
def test_a_message_runs_no_other_task_than_that_of_the_job(
    session: Session, run_job: RunJob, caplog: pytest.LogCaptureFixture, together: bool
) -> None:
    jobs = [enqueue(session, add_user_in_company, email=f"{uuid4()}@example.org") for _ in range(1 + together)]
    session.commit()
    ids = [str(job.id) for job in jobs]

    act.apply(tuple(ids) if together else (), task_id=ids[0])
    session.expire_all()

    assert [job.status for job in jobs] == [Status.QUEUED] * len(jobs)
    assert all(job_id in caplog.text for job_id in ids)
    run_job(*jobs)
    assert [job.status for job in jobs] == [Status.SUCCEEDED] * len(jobs)
