"""Whether Celery can use BROKER_URL and JOB_QUEUE."""

import re

from groundwork.broker import celery_settings
from groundwork.broker_urls import refuse_stronger

__all__ = ["queue_name", "usable_broker"]

# A comma separates names for a worker, `*` and `#` stand for others in RabbitMQ, and names that begin with amq. are its own.
QUEUE = re.compile(r"(?!amq\.)[^\s,*#\[\]?]{1,100}")


def usable_broker(urls: str) -> str:
    """The setting as Celery gets it; raises ValueError with a sentence where it cannot work."""
    urls = urls.strip()
    if urls.startswith("memory:"):
        refuse_stronger(urls)
    else:
        celery_settings(urls)
    return urls


def queue_name(name: str) -> str:
    """The setting as it is; raises ValueError with a sentence where a broker or a worker would read another name."""
    if not QUEUE.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is not a name of a queue; use up to 100 letters, digits, dots, - and _")
    return name
