"""The questions of `app health` to the broker and the database."""

from kombu.exceptions import OperationalError as BrokerError

from groundwork.configuration import configuration
from groundwork.data.connections import engine
from groundwork.jobs.movement import MOVEMENT, complaint
from groundwork.settings import get_settings
from groundwork.tools.correctable import plain_errors
from groundwork.tools.terminal import stop

__all__ = ["ask_jobs", "ask_relay", "ask_worker"]


def ask_worker(name: str) -> None:
    """Ask a worker of any machine, through the broker."""
    with plain_errors():
        in_memory = get_settings().in_memory_broker
    if in_memory:
        # Such a worker takes no questions; its relay shows whether it lives.
        return ask_relay()
    try:
        if not configuration().celery.control.inspect([name], timeout=5, limit=1).ping():
            raise stop(f"The worker {name} does not answer.")
    except BrokerError as error:
        raise stop(f"The broker does not answer: {error}") from None


def ask_relay() -> None:
    """Whether any relay looks."""
    relay_seconds, _ = _movement()
    if says := complaint(relay_seconds, 0):
        raise stop(says)


def ask_jobs() -> None:
    """Whether any relay looks, and jobs do not wait for long."""
    if says := complaint(*_movement()):
        raise stop(says)


def _movement() -> tuple[float | None, float]:
    with plain_errors(), engine().connect() as connection:
        relay_seconds, waiting_seconds = connection.execute(MOVEMENT).one()
    return relay_seconds, waiting_seconds
