"""Structured logs: readable lines in development, JSON elsewhere, each with its request or job id."""

import json
import logging
import re
import sys
from collections.abc import Callable
from time import monotonic
from typing import Any

import orjson
import structlog
from structlog.types import EventDict, Processor

from groundwork.output import Output, straight
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
        processors=[*shared, straight],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    output = Output(sys.stdout, renderers=_renderers(), foreign=[*shared, _without_tickets])
    logging.basicConfig(handlers=[output], level=logging.INFO, force=True)
    # One structured line per request replaces uvicorn's, and the runner's lines those of Celery.
    for name in ("uvicorn.access", "celery.app.trace", "celery.worker.strategy", "httpx2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.captureWarnings(True)


def _without_tickets(_: Any, __: str, event: EventDict) -> EventDict:
    event["event"] = TICKET.sub("...", str(event["event"]))
    return event


def _renderers() -> list[Processor]:
    if get_settings().environment == "development":
        # `app dev` prints the time and the process name in front of each line.
        console = structlog.dev.ConsoleRenderer(
            colors=False, pad_event_to=0, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
        )
        return [_short, console]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_json)]


def _short(_: Any, __: str, event: EventDict) -> EventDict:
    for key in ("timestamp", "logger", "request_id"):
        event.pop(key, None)
    return event


def _json(event: EventDict, default: Callable[[Any], Any]) -> str:
    """JSON in ASCII, without signs that a terminal would obey."""
    try:
        line = orjson.dumps(event, default).decode()
    except orjson.JSONEncodeError:
        # Half a character, say, or a number of more than 64 bits.
        line = "\0"
    return line if line.isascii() and line.isprintable() else json.dumps(event, default=default)


class Seldom:
    """Says yes at most once in so many seconds, for what would otherwise be logged with each request."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.next_at = seconds, 0.0

    def __call__(self) -> bool:
        if (now := monotonic()) < self.next_at:
            return False
        self.next_at = now + self.seconds
        return True
