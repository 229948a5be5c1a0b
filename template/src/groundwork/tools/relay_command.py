"""`app relay`: the process that publishes jobs."""

import signal
from threading import Event

from groundwork.configuration import configuration
from groundwork.jobs.relay import relay as run_relay
from groundwork.log import configure_logging
from groundwork.settings import get_settings
from groundwork.tools.correctable import plain_errors
from groundwork.tools.terminal import stop

__all__ = ["relay"]

# Seconds that a look or a message of the relay may take; brokers and databases that are away are given up sooner.
HUNG_AFTER = 30.0


def relay() -> None:
    """Publish due jobs until SIGTERM or Ctrl-C; any number of relays may run."""
    with plain_errors():
        if get_settings().in_memory_broker:
            raise stop("With BROKER_URL=memory:// the relay is a thread of the worker; start only the worker.")
        configure_logging()
    ending = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    run_relay(configuration().celery, configuration().schedule, ending, hung_after=HUNG_AFTER)
