"""The Celery application: `celery -A app.worker worker`."""

from groundwork.jobs import make_celery

__all__ = ["celery"]

celery = make_celery(
    # Jobs that were enqueued under an earlier name of their task still run: "earlier": "present", of a task or a module.
    renamed_tasks={
        "app.accounts.tasks.send_verification": "app.accounts.tasks.answer_registration",
        "app.users.tasks": "app.accounts.tasks",
        "app.audit.tasks.purge_audit_events": "groundwork.housekeeping",
        "app.deliveries.tasks.purge_mail_events": "groundwork.housekeeping",
        "app.jobs.tasks.purge_jobs": "groundwork.housekeeping",
        "app.limits.tasks.purge_rate_limits": "groundwork.housekeeping",
        "app.sign_ins.tasks.purge_tokens": "groundwork.housekeeping",
    }
)
