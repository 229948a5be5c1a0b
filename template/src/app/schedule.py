"""What runs regularly, in one table. Times are in UTC; the relay enqueues a job at each tick."""

from groundwork.jobs import Entry, crontab, housekeeping

# isort: split
# Imports of your own tasks go below this line.

__all__ = ["SCHEDULE"]

SCHEDULE = (
    Entry("housekeeping", housekeeping, crontab(minute="15")),
    # New entries go here, such as Entry("build reports", build_all, every(hours=6)).
)
