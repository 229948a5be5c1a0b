"""Nothing but the runner ends the transaction of a job, whatever its task does."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session, SessionTransaction
from work import Then, act, act_in_company, users, write

from app.accounts.models import User
from groundwork.data import new_session
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Job, Status
from groundwork.jobs.running_job import RunningJob
from groundwork.testing import RunJob

Act = Callable[[Session], object]


def add(session: Session, email: str = "") -> None:
    session.add(User(email=email or f"{uuid4()}@example.org"))
    session.flush()


def begin_and_add(session: Session) -> None:
    session.close()
    with session.begin():
        add(session)


def transaction(session: Session) -> SessionTransaction:
    begun = session.get_transaction()
    assert begun
    return begun


COMMITS: dict[str, Act] = {
    "session": lambda session: session.commit(),
    "begin": begin_and_add,
    "transaction": lambda session: transaction(session).commit(),
    "connection": lambda session: session.connection().commit(),
    "sql": lambda session: session.execute(text("COMMIT")),
    "sql in words": lambda session: session.connection().exec_driver_sql(" end transaction"),
}
# What the guard cannot prevent, since SQLAlchemy has no part in it.
BEHIND: dict[str, Act] = {
    "driver": lambda session: session.connection().connection.commit(),
    "cursor": lambda session: session.connection().connection.cursor().execute("COMMIT"),
}
LOSES: dict[str, Act] = {
    "rollback": lambda session: session.rollback(),
    "close": lambda session: session.close(),
    "reset": lambda session: session.reset(),
    "invalidate": lambda session: session.invalidate(),
    "transaction's rollback": lambda session: transaction(session).rollback(),
    "connection's rollback": lambda session: session.connection().rollback(),
    "rollback by sql": lambda session: session.execute(text("ROLLBACK")),
}


def caught(act: Act) -> Act:
    """The same by a task that catches whatever is raised, and goes on."""

    def go_on(session: Session) -> None:
        try:
            act(session)
        except Exception:
            return

    return go_on


def by(acts: dict[str, Act]) -> pytest.MarkDecorator:
    both = acts | {f"{name}, caught": caught(act) for name, act in acts.items()}
    return pytest.mark.parametrize("what", both.values(), ids=both.keys())


def after_a_write(what: Act) -> Callable[[RunningJob], None]:
    def write_and_act(job: RunningJob) -> None:
        add(job.session)
        what(job.session)

    return write_and_act


def run_alone(session: Session, run_job: RunJob) -> Job:
    job = enqueue(session, act)
    session.commit()
    run_job(job)
    return job


def run_between(session: Session, run_job: RunJob, then: Then, what: Act) -> list[Job]:
    """Three in one message, the second of which does it after it wrote, as the others do."""
    jobs = [enqueue(session, act_in_company) for _ in range(3)]
    session.commit()

    def each(job: RunningJob) -> None:
        add(job.session)
        if job.id == jobs[1].id:
            what(job.session)

    then(each)
    run_job(*jobs)
    return jobs


@by(COMMITS | LOSES)
def test_a_task_that_ends_its_transaction_fails_and_nothing_of_it_is_kept(
    session: Session, run_job: RunJob, then: Then, what: Act
) -> None:
    then(after_a_write(what))

    job = run_alone(session, run_job)

    assert (job.status, job.attempts) == (Status.FAILED, 1)
    assert job.error == "Its task has a fault that another attempt would not mend; the log has the details."
    assert users(session) == 0


@by(COMMITS | LOSES)
def test_those_that_share_its_transaction_have_their_effect_once(
    session: Session, run_job: RunJob, then: Then, what: Act
) -> None:
    jobs = run_between(session, run_job, then, what)

    assert [(job.status, job.attempts) for job in jobs] == [
        (Status.SUCCEEDED, 1),
        (Status.FAILED, 1),
        (Status.SUCCEEDED, 1),
    ]
    assert users(session) == 2


@pytest.mark.parametrize("what", COMMITS.values(), ids=COMMITS.keys())
def test_a_task_that_lost_its_lease_cannot_commit_either(
    session: Session, run_job: RunJob, then: Then, what: Act
) -> None:
    def act_without_a_lease(job: RunningJob) -> None:
        write(update(Job).values(token=uuid4()))
        add(job.session)
        what(job.session)

    then(act_without_a_lease)

    job = run_alone(session, run_job)

    assert job.status == Status.RUNNING
    assert users(session) == 0


@by(BEHIND)
def test_a_commit_by_the_drivers_connection_is_noticed_and_not_repeated(
    session: Session, run_job: RunJob, then: Then, what: Act
) -> None:
    then(after_a_write(what))

    job = run_alone(session, run_job)

    assert (job.status, job.attempts) == (Status.FAILED, 1)
    assert users(session) == 1


BEGIN_ANEW: dict[str, Act] = {
    "cursor, begin": lambda session: session.connection().connection.cursor().execute("COMMIT; BEGIN"),
}


@by(BEHIND | BEGIN_ANEW)
def test_it_doubles_nothing_of_those_that_share_its_transaction(
    session: Session, run_job: RunJob, then: Then, what: Act
) -> None:
    jobs = run_between(session, run_job, then, what)

    assert [(job.status, job.attempts) for job in jobs] == [
        (Status.SUCCEEDED, 1),
        (Status.FAILED, 1),
        (Status.SUCCEEDED, 1),
    ]
    assert users(session) == 3


@pytest.mark.parametrize(
    "name", ["rollback", "close", "reset", "invalidate", "transaction's rollback", "connection's rollback"]
)
def test_before_its_first_write_a_task_may_give_its_connection_back(
    session: Session, run_job: RunJob, then: Then, name: str
) -> None:
    def act_before_the_write(job: RunningJob) -> None:
        job.session.scalars(select(User)).all()
        LOSES[name](job.session)
        add(job.session)

    then(act_before_the_write)

    job = run_alone(session, run_job)

    assert job.status == Status.SUCCEEDED
    assert users(session) == 1


def test_what_was_only_added_is_not_lost_by_closing(session: Session, run_job: RunJob, then: Then) -> None:
    def act_with_an_unwritten_row(job: RunningJob) -> None:
        job.session.add(User(email="ada@example.org"))
        job.session.close()

    then(act_with_an_unwritten_row)

    assert run_alone(session, run_job).status == Status.FAILED


def test_a_function_that_writes_is_a_write(session: Session, run_job: RunJob, then: Then) -> None:
    def act_by_a_function(job: RunningJob) -> None:
        job.session.execute(select(func.setval("written", 2), func.pg_current_xact_id()))
        job.session.close()

    session.execute(text("CREATE SEQUENCE written"))
    session.commit()
    then(act_by_a_function)
    try:
        assert run_alone(session, run_job).status == Status.FAILED
    finally:
        session.execute(text("DROP SEQUENCE written"))
        session.commit()


def test_a_part_that_may_fail_has_a_savepoint(session: Session, run_job: RunJob, then: Then) -> None:
    def act_with_a_part(job: RunningJob) -> None:
        add(job.session, "ada@example.org")
        with pytest.raises(IntegrityError), job.session.begin_nested():
            add(job.session, "ada@example.org")
        add(job.session)

    then(act_with_a_part)

    assert run_alone(session, run_job).status == Status.SUCCEEDED
    assert users(session) == 2


def test_after_an_error_nothing_is_lost_where_nothing_was_written(
    session: Session, run_job: RunJob, then: Then
) -> None:
    def act_once_more(job: RunningJob) -> None:
        with pytest.raises(DBAPIError):
            job.session.execute(text("SELECT 1 / 0"))
        job.session.rollback()
        add(job.session)

    then(act_once_more)

    assert run_alone(session, run_job).status == Status.SUCCEEDED
    assert users(session) == 1


def test_an_error_that_a_task_caught_costs_others_nothing(session: Session, run_job: RunJob, then: Then) -> None:
    def divide(session: Session) -> None:
        with pytest.raises(DBAPIError):
            session.execute(text("SELECT 1 / 0"))

    jobs = run_between(session, run_job, then, divide)

    assert [(job.status, job.attempts) for job in jobs] == [
        (Status.SUCCEEDED, 1),
        (Status.QUEUED, 1),
        (Status.SUCCEEDED, 1),
    ]
    assert jobs[1].history[0]["error"] == "TransactionAborted in attempt 1; the log has the details."
    assert users(session) == 2


@pytest.mark.parametrize("level", ["SERIALIZABLE", "REPEATABLE READ", "AUTOCOMMIT"])
def test_another_isolation_level_is_refused_with_words(
    session: Session, run_job: RunJob, then: Then, level: str
) -> None:
    then(lambda job: job.session.connection(execution_options={"isolation_level": level}))

    job = run_alone(session, run_job)

    assert job.status == Status.FAILED


def test_a_session_of_its_own_keeps_what_it_commits(session: Session, run_job: RunJob, then: Then) -> None:
    def act_beside(job: RunningJob) -> None:
        with new_session() as other:
            add(other)
            other.commit()
        raise LookupError

    then(act_beside)

    assert run_alone(session, run_job).status == Status.QUEUED
    assert users(session) == 1
