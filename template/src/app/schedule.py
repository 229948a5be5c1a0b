"""What comes back regularly, in one table. Times are in UTC; the relays enqueue a job at each tick."""

from app.audit.tasks import purge_audit_events
from app.deliveries.tasks import purge_mail_events
from app.jobs.schedule import Entry, crontab
from app.jobs.tasks import purge_jobs
from app.limits.tasks import purge_rate_limits
from app.sign_ins.tasks import purge_tokens

# isort: split
# Imports of your own tasks go below this line.

__all__ = ["SCHEDULE"]

SCHEDULE = (
    Entry("purge jobs", purge_jobs, crontab(hour="3", minute="30")),
    Entry("purge mail events", purge_mail_events, crontab(hour="3", minute="40")),
    Entry("purge tokens", purge_tokens, crontab(hour="3", minute="50")),
    Entry("purge rate limits", purge_rate_limits, crontab(minute="15")),
    Entry("purge audit events", purge_audit_events, crontab(hour="4", minute="0")),
    # New entries go here, such as Entry("build reports", build_all, every(hours=6)).
)
