"""Every change of a job's state, one SQL statement each.

queued → running → succeeded | failed | cancelled, and back to queued for a retry, after the death of a worker,
or when one stops. All times are the database's: the clocks of processes differ. The statements are built once.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    String,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal,
    select,
    update,
)
from sqlalchemy import Interval as IntervalType
from sqlalchemy.dialects.postgresql import ARRAY

from groundwork.jobs.indexed import RUNNING
from groundwork.jobs.models import LONGEST_HISTORY, Job, Status
from groundwork.jobs.one_transaction import MARK

NOW = func.now()
IDLE: dict[str, Any] = {"token": None, "worker": None}
_cancelled = Job.cancel_requested_at.is_not(None)
# As parts of the statements: a list of values would be rendered anew for each execution.
UNFINISHED = [literal(status, Job.status.type) for status in (Status.QUEUED, Status.RUNNING)]


def _after(name: str) -> ColumnElement[Any]:
    return NOW + bindparam(name, type_=IntervalType)


def _history(reason: ColumnElement[Any]) -> ColumnElement[Any]:
    """With the attempt that ends now: the first one and the newest, LONGEST_HISTORY at most."""
    ended = func.clock_timestamp()
    attempt = func.jsonb_build_object("started_at", Job.started_at, "ended_at", ended, "error", cast(reason, Text))
    shorter = Job.history.op("#-")(literal(["1"], ARRAY(Text)))
    kept = case((func.jsonb_array_length(Job.history) >= LONGEST_HISTORY, shorter), else_=Job.history)
    return kept.concat(func.jsonb_build_array(attempt))


def _queued(run_at: ColumnElement[Any], due_at: ColumnElement[Any], reason: ColumnElement[Any]) -> dict[str, Any]:
    """Back to the queue, unless somebody has cancelled it meanwhile."""
    return IDLE | {
        "status": case((_cancelled, literal(Status.CANCELLED, Job.status.type)), else_=Status.QUEUED),
        "due_at": case((_cancelled, None), else_=due_at),
        "published_at": None,
        "finished_at": case((_cancelled, func.clock_timestamp())),
        "run_at": run_at,
        "history": _history(reason),
    }


# What a claimed job belongs to: this token. Zero rows: it belongs to another attempt by now.
MINE = update(Job).where(Job.id == bindparam("job_id"), Job.token == bindparam("my_token"))
FINISHED = IDLE | {"due_at": None, "published_at": None, "finished_at": func.clock_timestamp()}
REASON = bindparam("reason", type_=String)

_these = Job.id == any_(bindparam("job_ids", type_=ARRAY(Uuid)))
# Of the task that the message names: another one has other arguments, and another effect.
CLAIM = (
    update(Job)
    .where(_these, Job.task == bindparam("its_task"), Job.status == Status.QUEUED, Job.run_at <= NOW)
    .values(
        status=Status.RUNNING,
        token=bindparam("new_token"),
        worker=bindparam("me"),
        attempts=Job.attempts + 1,
        started_at=NOW,
        due_at=_after("lease"),
    )
    .returning(
        Job.id,
        Job.arguments,
        Job.attempts,
        Job.crashes,
        Job.created_at,
        _cancelled.label("cancelled"),
        # A claim that a crash of PostgreSQL takes back did no harm: its commit need not wait for the disk.
        func.set_config("synchronous_commit", "off", True),
    )
)
OF_OTHER_TASKS = select(Job.id).where(_these, Job.task != bindparam("its_task"))
EXTEND = MINE.values(due_at=_after("lease"))
PROGRESS = MINE.values(due_at=_after("lease"), progress=bindparam("seen")).returning(_cancelled)
# Only in the transaction that the runner began.
_MARKED = func.current_setting(MARK, True) == bindparam("mark", type_=String)
_SUCCEEDED = FINISHED | {"status": Status.SUCCEEDED, "error": None}
SUCCEED = MINE.where(_MARKED).values(result=bindparam("outcome"), **_SUCCEEDED)
# Those of one claim, and so of one token.
_outcomes = func.unnest(bindparam("job_ids", type_=ARRAY(Uuid)), bindparam("outcomes", type_=ARRAY(Job.result.type)))
_outcome = _outcomes.table_valued(column("id", Uuid), column("outcome", Job.result.type)).render_derived("outcomes")
SUCCEED_TOGETHER = (
    update(Job)
    .where(Job.id == _outcome.c.id, Job.token == bindparam("my_token"), _MARKED)
    .values(result=_outcome.c.outcome, **_SUCCEEDED)
)
STILL_MINE = select(Job.id).where(Job.token == bindparam("my_token"), Job.id == bindparam("job_id"))
FAIL = MINE.values(status=Status.FAILED, error=REASON, history=_history(REASON), **FINISHED)
STOP_CANCELLED = MINE.where(_cancelled).values(
    status=Status.CANCELLED, error=None, history=_history(literal("cancelled")), **FINISHED
)
RETRY = MINE.values(
    error=REASON,
    attempts=Job.attempts - bindparam("unspent", 0, type_=Integer),
    crashes=Job.crashes + bindparam("lost", 0, type_=Integer),
    **_queued(_after("delay"), _after("delay"), REASON),
)
# What was claimed and is not begun, for others.
RELEASE = MINE.values(_queued(NOW, NOW, literal("")) | {"attempts": Job.attempts - 1, "history": Job.history})

# The main process of a worker speaks for its attempts, without their tokens: for all of them, or for that of one message.
RUNS = update(Job).where(RUNNING)
OF_WORKER = RUNS.where(func.starts_with(Job.worker, bindparam("me")))
OF_MESSAGE = RUNS.where(Job.worker == bindparam("me"))
OUT_OF_TIME = OF_MESSAGE.values(status=Status.FAILED, error=REASON, history=_history(REASON), **FINISHED).returning(
    Job.id
)
# The attempt does not count: the job did nothing wrong.
GIVE_BACK = OF_WORKER.values(attempts=Job.attempts - 1, **_queued(NOW, NOW, literal("the worker was stopped")))

# At once after the first death of a worker; after each further one there is more time to come to rest.
CRASH_PAUSE = Job.crashes * Job.crashes * literal(timedelta(seconds=5), IntervalType)
DEATH = literal("the worker died")
WORKER_LOST = OF_MESSAGE.values(crashes=Job.crashes + 1, **_queued(NOW + CRASH_PAUSE, NOW + CRASH_PAUSE, DEATH))
# Of a relay: attempts whose worker was silent for longer than its lease. What another relay gives back is left to it.
_silent = (
    select(Job.id)
    .where(RUNNING, Job.due_at <= NOW)
    .order_by(Job.due_at)
    .limit(1000)
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
RECOVER = (
    update(Job)
    .where(Job.id.in_(_silent))
    .values(crashes=Job.crashes + 1, **_queued(NOW + CRASH_PAUSE, NOW + CRASH_PAUSE, DEATH))
)
# What waits behind another job in its message, which is not worked on any more.
SEND_AGAIN = (
    update(Job)
    .where(Job.id == bindparam("job_id"), Job.status == Status.QUEUED, Job.run_at <= NOW)
    .values(due_at=NOW, published_at=None)
)

# People cancel a waiting job at once; a running one is asked to stop, and asking twice changes nothing.
_waits = Job.status == Status.QUEUED
_cancel = (
    update(Job)
    .where(Job.status.in_(UNFINISHED))
    .values(
        status=case((_waits, literal(Status.CANCELLED, Job.status.type)), else_=Job.status),
        due_at=case((_waits, None), else_=Job.due_at),
        finished_at=case((_waits, func.clock_timestamp())),
        error=case((_waits, None), else_=Job.error),
        cancel_requested_at=func.coalesce(Job.cancel_requested_at, NOW),
    )
)
CANCEL = _cancel.where(Job.id == bindparam("job_id"))
# In the order in which attempts that share a transaction end, so that nobody waits for each other.
_theirs = select(Job.id).where(Job.owner_id == bindparam("owner"), Job.status.in_(UNFINISHED))
CANCEL_ALL = _cancel.where(Job.id.in_(_theirs.order_by(Job.id).with_for_update().scalar_subquery()))
# What waits for its next attempt, or for its time, need not: people know when the cause is gone.
RUN_NOW = (
    update(Job)
    .where(Job.id == bindparam("job_id"), Job.status == Status.QUEUED, Job.run_at > NOW)
    .values(run_at=NOW, due_at=NOW, published_at=None)
)
RUN_AGAIN = (
    update(Job)
    .where(Job.id == bindparam("job_id"), Job.status.in_((Status.FAILED, Status.CANCELLED)))
    .values(
        status=Status.QUEUED,
        run_at=NOW,
        due_at=NOW,
        published_at=None,
        attempts=0,
        crashes=0,
        cancel_requested_at=None,
        progress=None,
        error=None,
        finished_at=None,
    )
)
