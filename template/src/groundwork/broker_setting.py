"""Whether Celery can use BROKER_URL."""

from groundwork.broker import celery_settings
from groundwork.broker_urls import refuse_stronger

__all__ = ["usable_broker"]


def usable_broker(urls: str) -> str:
    """The setting as Celery gets it; raises ValueError with a sentence where it cannot work."""
    urls = urls.strip()
    if urls.startswith("memory:"):
        refuse_stronger(urls)
    else:
        celery_settings(urls)
    return urls
