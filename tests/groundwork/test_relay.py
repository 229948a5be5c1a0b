from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session
from work import add_user, add_user_in_company

from app.accounts.tasks import send_welcome
from app.worker import celery
from groundwork.data.connections import engine
from groundwork.jobs.backlog import relay_connection
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.jobs.publishing import Publisher, publish_due
from groundwork.settings import get_settings
from groundwork.testing import Published


@pytest.fixture(autouse=True)
def long_pauses() -> Iterator[None]:
    """However slow the machine is: no message counts as lost meanwhile."""
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(get_settings(), "job_patience_seconds", 30)
        yield


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with relay_connection() as connection:
        yield Publisher(celery, connection)


def queued(session: Session, queue: str | None = None) -> Job:
    job = enqueue(session, send_welcome, user_id=uuid4(), queue=queue)
    session.commit()
    return job


def write(change: Any) -> None:
    with engine().begin() as connection:
        connection.execute(change)


def overdue(minutes: int = 0) -> None:
    """No worker claimed a job for so long, and a relay is to look why."""
    write(update(Job).values(published_at=text(f"now() - interval '{minutes} minutes'"), due_at=func.now()))


@pytest.fixture
def refusing() -> Iterator[tuple[str, Callable[[], None]]]:
    """A queue of the broker that refuses every message, and what makes it take them."""
    name = f"{celery.conf.task_default_queue}-refusing"
    with celery.connection_for_write() as connection:
        channel: Any = connection.default_channel
        if connection.transport.driver_type == "redis":
            channel.client.set(name, "no list")
            mend = partial(channel.client.delete, name)
        else:
            channel.queue_declare(name, durable=True, auto_delete=False, arguments={"x-max-length": 5})
            mend = partial(channel.queue_delete, name)
        yield name, mend
        mend()


def test_a_committed_job_is_published_once_and_carries_only_its_id(session: Session, published: Published) -> None:
    job = queued(session)

    assert [publish_due(celery), publish_due(celery)] == [1, 0]
    assert published() == [str(job.id)]


def test_short_jobs_travel_together_where_their_task_says_so(session: Session, published: Published) -> None:
    short = [enqueue(session, add_user_in_company, email=f"{number}@example.org") for number in range(4)]
    alone = queued(session)

    assert publish_due(celery) == 5

    first, second, third, fourth = [str(job.id) for job in short]
    assert sorted(published()) == sorted([f"{first} {second} {third}", fourth, str(alone.id)])


def test_a_message_that_was_lost_is_published_again_later_and_later(
    session: Session, published: Published, publisher: Publisher
) -> None:
    job = queued(session)
    publisher.publish_due()
    messages, waits = published(), []
    for minutes in (0, 2, 600):
        overdue(minutes)
        publisher.publish_lost()
        messages += published()
        waits.append(session.scalar(select(func.extract("epoch", Job.due_at - func.now()))))
        session.rollback()

    assert messages == [str(job.id)] * 4
    assert [round(float(wait or 0), -1) for wait in waits] == [30, 120, 600]


def test_a_message_that_waits_for_a_worker_is_not_sent_again(
    session: Session, published: Published, publisher: Publisher
) -> None:
    job = queued(session)
    publisher.publish_due()
    for minutes in (1, 600):
        overdue(minutes)
        publisher.publish_lost()

    assert published() == [str(job.id)]


def test_of_messages_that_are_missing_those_of_the_oldest_jobs_are_sent_again(
    session: Session, published: Published, publisher: Publisher
) -> None:
    jobs = []
    for _ in range(3):
        jobs.append(str(queued(session).id))
        publisher.publish_due()
    published()
    for _ in range(2):
        jobs.append(str(queued(session).id))
        publisher.publish_due()
    write(update(Job).values(due_at=func.now()))

    assert publisher.publish_lost() == 3
    assert sorted(published()) == sorted(jobs[3:] + jobs[:3])


def test_a_window_of_each_queue_is_published_and_no_more(
    session: Session, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundwork.jobs.publishing.WINDOW", 3)
    long, short = (f"{celery.conf.task_default_queue}-{name}" for name in ("long", "short"))
    jobs = [queued(session, long) for _ in range(5)]
    looks = [publisher.publish_due()]
    queued(session, short)
    looks.append(publisher.publish_due())
    write(update(Job).where(Job.id == jobs[0].id).values(status=Status.RUNNING, token=uuid4()))
    looks.append(publisher.publish_due())

    assert [look.published for look in looks] == [3, 1, 1]
    waiting = session.scalars(select(Job.id).where(Job.published_at.is_(None))).all()
    assert waiting == [jobs[4].id]
    with celery.connection_for_write() as connection:
        channel: Any = connection.default_channel
        for name in (long, short):
            channel.queue_delete(name)


def test_a_single_job_is_sent_before_the_many_of_another_queue(
    session: Session, published: Published, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [enqueue(session, send_welcome, user_id=uuid4(), queue="many") for _ in range(3)]
    session.commit()
    single = queued(session)
    sent = []
    monkeypatch.setattr(celery, "send_task", lambda *_, task_id, **__: sent.append(task_id))

    publisher.publish_due()

    assert sent == [str(job.id) for job in (single, *many)]


def test_a_delayed_and_a_finished_job_are_left_alone(session: Session) -> None:
    queued(session)
    later = text("now() + interval '1 hour'")
    session.execute(update(Job).values(run_at=later, due_at=later))
    session.commit()
    done = queued(session)
    done.status, done.due_at = Status.SUCCEEDED, None
    session.commit()

    assert publish_due(celery) == 0


def test_relays_side_by_side_publish_each_job_once(
    session: Session, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Few at a time, so that they look often at the same rows.
    monkeypatch.setattr("groundwork.jobs.publishing.BATCH", 3)
    ids = [str(enqueue(session, send_welcome, user_id=uuid4()).id) for _ in range(120)]
    session.commit()
    together = Barrier(4)

    def look_with_the_others() -> None:
        for _ in range(10):
            together.wait()
            publish_due(celery)

    with ThreadPoolExecutor(4) as threads:
        relays = [threads.submit(look_with_the_others) for _ in range(4)]
    for relay in relays:
        relay.result()
    while publish_due(celery):
        pass

    assert sorted(published()) == sorted(ids)


def test_while_the_broker_is_away_jobs_keep_their_turn(
    session: Session, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [queued(session) for _ in range(3)]

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError("broker down")

    monkeypatch.setattr(celery, "send_task", refuse)
    with pytest.raises(ConnectionRefusedError):
        publish_due(celery)

    monkeypatch.undo()
    monkeypatch.setattr("groundwork.jobs.publishing.BATCH", 1)
    assert [publish_due(celery) for _ in range(4)] == [1, 1, 1, 0]
    assert published() == [str(job.id) for job in jobs]


def test_a_queue_that_refuses_messages_holds_up_no_other(
    session: Session,
    published: Published,
    publisher: Publisher,
    refusing: tuple[str, Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, mend = refusing
    refused = [queued(session, name) for _ in range(3)]
    others = [queued(session) for _ in range(3)]

    for _ in range(2):
        publisher.publish_due()

    assert published() == [str(job.id) for job in others]
    waiting = select(Job.id).where(Job.published_at.is_(None)).order_by(Job.id)
    assert session.scalars(waiting).all() == [job.id for job in refused]

    mend()
    monkeypatch.setattr("groundwork.jobs.publishing.monotonic", lambda: monotonic() + 10)
    assert publisher.publish_due().published == 3


def know_only_the_default_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with Celery's setting `task_create_missing_queues = False`."""
    known = celery.amqp.Queues([], create_missing=False)
    monkeypatch.setattr(celery.amqp, "router", celery.amqp.Router(queues=known, create_missing=False))


def test_a_queue_that_celery_does_not_know_holds_up_no_other(
    session: Session, published: Published, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    know_only_the_default_queue(monkeypatch)
    unknown = queued(session, "nowhere")
    publisher.publish_due()
    other = queued(session)

    publisher.publish_due()
    publisher.publish_lost()

    assert published() == [str(other.id)]
    assert session.scalars(select(Job.id).where(Job.published_at.is_(None))).all() == [unknown.id]


def test_a_job_of_an_unknown_queue_that_was_published_holds_up_no_other(
    session: Session, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(session, "nowhere")
    queued(session)
    publisher.publish_due()
    overdue()
    know_only_the_default_queue(monkeypatch)

    publisher.publish_lost()


def test_routes_of_celery_lead_to_a_window_of_their_own(
    session: Session, published: Published, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    routed = enqueue(session, add_user, email="ada@example.org")
    other = enqueue(session, add_user_in_company, email="ada@example.org")
    session.commit()
    monkeypatch.setitem(celery.conf, "task_routes", {add_user.name: {"queue": "elsewhere"}})
    monkeypatch.setattr(celery.amqp, "_rtable", None)
    monkeypatch.setattr(celery.amqp, "router", celery.amqp.Router())
    sent = []
    monkeypatch.setattr(celery, "send_task", lambda *_, task_id, queue, **__: sent.append((task_id, queue)))

    for _ in range(2):
        publisher.publish_due()

    assert sent == [(str(other.id), None), (str(routed.id), "elsewhere")]


def test_a_job_whose_task_nobody_here_has_is_published_and_told(
    session: Session, published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    job = queued(session)
    job.task = "app.invoices.more.remind"
    session.commit()

    publish_due(celery)

    assert published() == [str(job.id)]
    assert "app.invoices.more.remind" in caplog.text


@pytest.mark.parametrize("status", [Status.RUNNING, Status.SUCCEEDED])
def test_a_send_that_failed_only_in_appearance_is_not_taken_back(
    session: Session, monkeypatch: pytest.MonkeyPatch, status: Status
) -> None:
    job = queued(session)
    claimed = update(Job).values(status=status, token=uuid4(), due_at=text("now() + interval '1 hour'"))
    finished = update(Job).values(status=status, due_at=None)

    def arrive_and_fail(*_: object, **__: object) -> None:
        with engine().begin() as connection:
            connection.execute(claimed if status == Status.RUNNING else finished)
        raise TimeoutError("no confirmation")

    monkeypatch.setattr(celery, "send_task", arrive_and_fail)
    with pytest.raises(TimeoutError):
        publish_due(celery)

    session.refresh(job)
    assert job.status == status
    monkeypatch.undo()
    assert publish_due(celery) == 0
