"""`app jobs`: what an operator does with jobs."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy import and_, func, select

from groundwork.data.connections import engine, new_session
from groundwork.jobs.models import Job, Status
from groundwork.jobs.newest import newest_jobs
from groundwork.jobs.outdated import delete_in_chunks
from groundwork.jobs.schemas import JobOut
from groundwork.jobs.transitions import CANCEL, RUN_AGAIN, RUN_NOW
from groundwork.tools.correctable import plain_errors
from groundwork.tools.terminal import stop

__all__ = ["jobs"]

jobs = typer.Typer(no_args_is_help=True, help="See, cancel and run again the jobs of all users.")
JobId = Annotated[UUID, typer.Argument(help="As `app jobs list` and the logs show it.")]


@jobs.command("list")
def list_jobs(
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    task: Annotated[str | None, typer.Option(help="Only those whose task's name contains this.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 20,
) -> None:
    """The newest first."""
    named = [] if task is None else [Job.task.contains(task, autoescape=True)]
    query = newest_jobs(*named, owner_id=None, status=status, before=None, limit=limit)
    with plain_errors(), new_session() as session:
        for job in session.scalars(query):
            created = f"{job.created_at:%Y-%m-%d %H:%M:%S}"
            waits = job.status == Status.QUEUED and job.run_at > datetime.now(UTC)
            notes = [f"not before {job.run_at:%Y-%m-%d %H:%M:%S}"] * waits + [job.error or ""]
            line = [str(job.id), created, f"{job.status:<9}", str(job.attempts), job.task, *notes]
            typer.echo("  ".join(line).rstrip())


@jobs.command()
def show(job_id: JobId) -> None:
    """Everything about one, as JSON."""
    with plain_errors(), new_session() as session:
        job = session.get(Job, job_id)
        if job is None:
            raise _unknown(job_id)
        more = {"arguments": job.arguments, "queue": job.queue, "worker": job.worker, "crashes": job.crashes}
        typer.echo(json.dumps(JobOut.model_validate(job).model_dump(mode="json") | more, indent=2))


@jobs.command()
def retry(job_id: JobId) -> None:
    """Run a failed or cancelled one again, from its first attempt; one that waits for its time, now."""
    with plain_errors(), engine().begin() as connection:
        if not any(connection.execute(way, {"job_id": job_id}).rowcount for way in (RUN_AGAIN, RUN_NOW)):
            status = connection.scalar(select(Job.status).where(Job.id == job_id))
            reason = "only a job that failed, was cancelled or waits for its time can be run"
            raise stop(f"{job_id} is {status}; {reason}.") if status else _unknown(job_id)
    typer.echo(f"{job_id} is queued.")


@jobs.command()
def cancel(job_id: JobId) -> None:
    """Cancel a waiting one at once; ask a running one to stop."""
    with plain_errors(), engine().begin() as connection:
        changed = connection.execute(CANCEL, {"job_id": job_id}).rowcount
        status = connection.scalar(select(Job.status).where(Job.id == job_id))
    if status is None:
        raise _unknown(job_id)
    if not changed:
        raise stop(f"{job_id} is {status} already; nothing was done.")
    typer.echo(f"{job_id} {'is asked to stop' if status == Status.RUNNING else f'is {status}'}.")


@jobs.command()
def purge(days: Annotated[int, typer.Option(min=0, help="Those that ended longer ago than this.")]) -> None:
    """Delete jobs that have ended, with their results and keys."""
    old = and_(Job.due_at.is_(None), Job.finished_at <= func.now() - timedelta(days=days))
    with plain_errors():
        typer.echo(f"{delete_in_chunks(Job, old)} jobs deleted.")


def _unknown(job_id: UUID) -> typer.Exit:
    return stop(f"{job_id}: there is no such job; `app jobs list` shows the newest.")
