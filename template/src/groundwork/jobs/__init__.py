"""Durable background work: a job is a row, written in the transaction of the data that it belongs to."""

from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.entries import Entry, crontab, every
from groundwork.jobs.events import job_streams
from groundwork.jobs.health import health_routes
from groundwork.jobs.jobs_per_person import TooManyJobs
from groundwork.jobs.models import Job, Status
from groundwork.jobs.outdated import housekeeping
from groundwork.jobs.routes import job_routes
from groundwork.jobs.running_job import JobCancelled, RunningJob
from groundwork.jobs.schemas import IdempotencyKey, JobOut
from groundwork.jobs.service import KeyReused, cancel_all, enqueue_once
from groundwork.jobs.task import JobTask, MailTask
from groundwork.jobs.worker import make_celery, try_delay

__all__ = [
    "Entry",
    "IdempotencyKey",
    "Job",
    "JobCancelled",
    "JobOut",
    "JobTask",
    "KeyReused",
    "MailTask",
    "RunningJob",
    "Status",
    "TooManyJobs",
    "cancel_all",
    "crontab",
    "enqueue",
    "enqueue_once",
    "every",
    "health_routes",
    "housekeeping",
    "job_routes",
    "job_streams",
    "make_celery",
    "try_delay",
]
