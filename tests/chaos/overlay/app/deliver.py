"""Put the message of each job into the queue, again and again: `python -m app.chaos.deliver 5 ID...`."""

import sys

from app.chaos.tasks import leave_effect
from app.worker import celery

if __name__ == "__main__":
    times, *ids = sys.argv[1:]
    for job_id in ids:
        # One after the other, so that several workers have the same job in hand at once.
        for _ in range(int(times)):
            celery.send_task(leave_effect.name, task_id=job_id)
