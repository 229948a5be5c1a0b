"""Structured logs: readable lines in development, JSON elsewhere, each with its request or job id."""

import logging
import re
import sys
from time import monotonic
from typing import Any

import structlog
from structlog.types import Processor

from groundwork.settings import get_settings

__all__ = ["Seldom", "configure_logging"]

# Of a socket's address, which uvicorn logs: whoever reads the log could open the socket, too.
TICKET = re.compile(r"(?<=[?&]ticket=)[^&\s\"]+")


def configure_logging() -> None:
    """Send the logs of structlog and of the standard library through one formatter to stdout."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    foreign = [*shared, _without_tickets]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=foreign, processors=_renderers()))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    # One structured line per request replaces uvicorn's, and the runner's lines those of Celery.
    for name in ("uvicorn.access", "celery.app.trace", "celery.worker.strategy", "httpx2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.captureWarnings(True)


def _without_tickets(_: Any, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    event["event"] = TICKET.sub("...", str(event["event"]))
    return event


def _renderers() -> list[Processor]:
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if get_settings().environment == "development":
        # `app dev` prints the time and the process name in front of each line.
        console = structlog.dev.ConsoleRenderer(
            colors=False, pad_event_to=0, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
        )
        return [remove_meta, _short, console]
    return [remove_meta, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _short(_: Any, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    for key in ("timestamp", "logger", "request_id"):
        event.pop(key, None)
    return event


class Seldom:
    """Says yes at most once in so many seconds, for what would otherwise be logged with each request."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.next_at = seconds, 0.0

    def __call__(self) -> bool:
        if (now := monotonic()) < self.next_at:
            return False
        self.next_at = now + self.seconds
        return True
