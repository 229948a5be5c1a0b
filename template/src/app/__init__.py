"""This service. Here, and nowhere else, the groundwork is told what stands on it."""

from groundwork import configure

configure(
    # Each folder of this package is a feature: its models.py, tasks.py and mail/ are found by themselves.
    package="app",
    settings="app.settings:Settings",
    celery="app.worker:celery",
    schedule="app.schedule:SCHEDULE",
    # Sent to the owner of a job that failed.
    failure_notice="app.accounts.tasks:send_job_failed",
)
