"""The long work of this feature."""

from datetime import UTC, date, datetime, time, timedelta
from time import sleep
from uuid import UUID

from sqlalchemy import func, select

from app.accounts.models import User
from app.reports.models import Report
from app.worker import celery
from groundwork.jobs import JobTask, RunningJob

# Stands for the real work of your own report, so that there is some progress to watch.
SECONDS_PER_DAY = 0.2


@celery.task(base=JobTask)
def build_report(job: RunningJob, user_id: UUID, days: int) -> dict[str, str]:
    last = job.created_at.astimezone(UTC).date()
    wanted = [last - timedelta(days=back) for back in reversed(range(days))]
    signups = {}
    for done, day in enumerate(wanted):
        job.progress(done, days, f"Counting {day}")
        signups[day.isoformat()] = _signups(job, day)
        sleep(SECONDS_PER_DAY)
    job.progress(days, days, "Done")

    # Committed together with the job's result, so a job that runs twice makes one report.
    report = Report(owner_id=user_id, signups=signups)
    job.session.add(report)
    job.session.flush()
    return {"report_id": str(report.id)}


def _signups(job: RunningJob, day: date) -> int:
    start = datetime.combine(day, time.min, UTC)
    within = User.created_at >= start, User.created_at < start + timedelta(days=1)
    return job.session.scalar(select(func.count()).select_from(User).where(*within)) or 0
