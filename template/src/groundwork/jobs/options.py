"""Celery's options that cannot mean for a job what they mean for a plain task: refused where the task is defined."""

from collections.abc import Mapping

__all__ = ["refuse_options"]

_RETRIES = "every exception is retried that is not in `dont_autoretry_for`; set max_attempts, retry_backoff and retry_backoff_max"
_ROW = "the row of the job keeps its state, its result and its errors"
_DELIVERY = "the row decides who runs a job, and a message that is lost or comes twice does no harm"
REFUSED = {
    "rate_limit": "workers would hold its messages back, and the relay would take them for lost and send more; give it a "
    "queue and workers of its own",
    "expires": "a job is never dropped; compare `job.created_at` with the time in the task, and return",
    "priority": "brokers order messages, and the jobs that wait are in the table; give it a queue and workers of its own",
    "autoretry_for": _RETRIES,
    "max_retries": _RETRIES,
    "default_retry_delay": _RETRIES,
    "retry_kwargs": _RETRIES,
    "retry_jitter": _RETRIES,
    "acks_late": _DELIVERY,
    "acks_on_failure": _DELIVERY,
    "acks_on_failure_or_timeout": _DELIVERY,
    "acks_on_timeout": _DELIVERY,
    "reject_on_worker_lost": _DELIVERY,
    "retry_on_worker_lost": _DELIVERY,
    "ignore_result": _ROW,
    "store_eager_result": _ROW,
    "store_errors_even_if_ignored": _ROW,
    "track_started": _ROW,
}


def refuse_options(task: str, given: Mapping[str, object]) -> None:
    """Raise TypeError for an option that jobs do not have; the text says what to use instead."""
    for option, remedy in REFUSED.items():
        if given.get(option) is not None:
            raise TypeError(f"{task} has {option}={given[option]!r}, which jobs do not have: {remedy}.")
