"""JobTask: the base of the tasks that run as jobs."""

from functools import cached_property
from typing import Any
from uuid import UUID

from celery import Celery, Task
from celery.exceptions import Ignore
from pydantic import BaseModel

from groundwork.jobs.arguments import arguments_of
from groundwork.jobs.attempt import claim
from groundwork.jobs.batch import run_batch
from groundwork.jobs.broker_queues import MAIL
from groundwork.jobs.one_transaction import job_engine
from groundwork.jobs.options import refuse_options

__all__ = ["JobTask", "MailTask"]


class JobTask(Task[..., Any]):
    """The base of tasks that run as jobs: `@celery.task(base=JobTask)`, asked for with `enqueue`.

    The first parameter of the function is the RunningJob. It writes to the database through `job.session` and never
    commits: its writes are committed together with the returned result, or not at all.

    An exception that is not in `dont_autoretry_for` is retried after a random delay whose upper bound grows: eight
    attempts take about 90 minutes. An exception with a `retry_after`, in seconds, sets the delay itself; with
    `spends_attempt = False` the attempt is not counted, for up to a month. Celery's own options `soft_time_limit` and
    `time_limit` mean what they mean for every task; those that cannot, such as `rate_limit`, raise TypeError.
    """

    max_attempts = 8
    # A job whose worker, or whose database connection, died this often is taken for the cause.
    max_crashes = 5
    dont_autoretry_for: tuple[type[Exception], ...] = ()
    # Seconds: the bound of the first delay; each further one is three times as long, up to the last.
    retry_backoff = 30
    retry_backoff_max = 3600
    # The message has done its work once the row is claimed. Acknowledged late, a broken connection
    # to the broker would end the job that runs.
    acks_late = False
    reject_on_worker_lost = False
    # How many jobs of this task may travel in one message and share transactions. Most of what a short job costs is
    # Celery's work for its message and the disk's for its commit. Time limits, events and signals are the message's.
    batch_size = 1
    # Where its jobs wait and travel, where `enqueue` names no queue; None: where Celery's own routing sends them.
    job_queue: str | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.called_directly:
            return self.run(*args, **kwargs)
        with job_engine().connect() as connection:
            attempts = claim(self, [UUID(job_id) for job_id in args or [self.request.id]], connection)
            if not attempts:
                raise Ignore
            if args:
                run_batch(attempts, connection)
            else:
                attempts[0].alone(connection)

    def apply_async(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{self.name} needs a job's row; use enqueue(session, {self.__name__}, ...).")

    @classmethod
    def bind(cls, app: Celery) -> Celery:
        """Check and complete the options. Celery calls it twice, and fills in those of its settings at the first time."""
        if not cls.__bound__:
            own = cls.__mro__[: cls.__mro__.index(JobTask)]
            refuse_options(cls.name, {name: value for kind in reversed(own) for name, value in vars(kind).items()})
        # Celery starts the hard limit after the soft one: of two that belong together one may be left out.
        if cls.time_limit and not cls.soft_time_limit:
            cls.soft_time_limit = max(1, cls.time_limit * 9 // 10)
        elif cls.soft_time_limit and not cls.time_limit:
            cls.time_limit = cls.soft_time_limit + 60
        if cls.batch_size > 1 and cls.time_limit and not cls.__bound__:
            raise TypeError(f"{cls.name} has a batch_size and a time limit, which would be the limit of many jobs.")
        bound = super().bind(app)
        # Of Celery's settings: `task_annotations`, `task_default_rate_limit`.
        refuse_options(cls.name, {"rate_limit": cls.rate_limit})
        return bound

    @cached_property
    def arguments(self) -> type[BaseModel]:
        return arguments_of(self.name, self.run)

    @property
    def queue_of_jobs(self) -> str | None:
        """The queue of its jobs; Celery's own attribute `queue`, which it will remove, means the same."""
        return self.job_queue or getattr(self, "queue", None)

    def checked(self, **kwargs: Any) -> dict[str, Any]:
        """The arguments as they are stored; raises pydantic's ValidationError."""
        return self.arguments.model_validate(kwargs).model_dump(mode="json")


class MailTask(JobTask):
    """The base of tasks that send mail: `@celery.task(base=MailTask)`. Their jobs have a queue of their own, `mail`.

    A mail that somebody waits for is not sent behind the long jobs of somebody else. A worker without `-Q` consumes this
    queue too, and one with `-Q mail` this queue alone.
    """

    job_queue = MAIL
