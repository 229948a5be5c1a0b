"""Lets the main process of a worker show that it receives messages, for `app health worker`."""

from typing import Any

from celery.signals import worker_ready, worker_shutdown

from groundwork.life import EVERY, Life

__all__: list[str] = []


@worker_ready.connect
def _show(sender: Any, **_: object) -> None:
    # Its event loop turns only while it is connected to the broker, and kombu ends a connection that falls silent, after
    # some 20 seconds. Other loops have their timer in a thread, which would go on without them: their worker is asked.
    if sender.hub is not None:
        life = Life("worker", sender.hostname)
        life.show()
        sender.timer.call_repeatedly(EVERY, life.show)


@worker_shutdown.connect
def _end(sender: Any, **_: object) -> None:
    Life("worker", sender.hostname).end()
