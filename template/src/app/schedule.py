"""What comes back regularly, in one table. Times are in UTC; the relays enqueue a job at each tick."""

from app.deliveries.tasks import purge_mail_events
from app.jobs.schedule import Entry, crontab
from app.jobs.tasks import purge_jobs

__all__ = ["SCHEDULE"]

SCHEDULE = (
    Entry("purge jobs", purge_jobs, crontab(hour="3", minute="30")),
    Entry("purge mail events", purge_mail_events, crontab(hour="3", minute="40")),
    # New entries go here, such as Entry("build reports", build_all, every(hours=6)).
)
