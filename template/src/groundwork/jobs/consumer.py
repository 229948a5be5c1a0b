"""What a worker receives from the broker: a message that nobody could understand is dropped, and the worker goes on."""

from collections.abc import Callable
from typing import Any

import structlog
from celery.worker.consumer import Consumer
from pydantic import BaseModel, FiniteFloat

__all__ = ["CarefulConsumer"]

log = structlog.get_logger(__name__)

# What Celery and kombu raise where a message lacks a part, or a part is of another kind than they expect. KeyError is also
# among the errors by which they take a connection to Redis for lost: they would connect again, and get the message again.
# RecursionError: JSON of a thousand levels.
MALFORMED = (AttributeError, LookupError, RecursionError, TypeError, ValueError)


class _Headers(BaseModel):
    """The headers that Celery uses when it has handed the message on, where nothing catches an error."""

    id: str = ""
    timelimit: tuple[FiniteFloat | None, FiniteFloat | None] | None = None


class CarefulConsumer(Consumer):
    """A message without an id, say, ends Celery's own consumer; the broker then gives the message to the next worker."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        handle = super().create_task_handler(*args, **kwargs)
        # celery-types leaves both out.
        errors, channel = vars(self)["connection_errors"], vars(self)["task_consumer"].channel

        def handle_or_drop(message: Any) -> None:
            try:
                _Headers.model_validate(message.headers)
                handle(message)
            except MALFORMED as error:
                _tell(error)
                if not message.acknowledged:
                    message.reject_log_error(log, errors)

        # Redis has lists, whose elements kombu reads; others parse what they deliver before kombu has it.
        if "BRPOP" in (readers := getattr(channel, "handlers", {})):
            readers["BRPOP"] = _or_drop(readers["BRPOP"], RecursionError, ValueError)
            channel.connection._deliver = _or_drop(channel.connection._deliver, *MALFORMED)
        return handle_or_drop


def _or_drop(take: Callable[..., Any], *kinds: type[Exception]) -> Callable[..., Any]:
    def take_or_drop(*args: Any, **kwargs: Any) -> Any:
        try:
            return take(*args, **kwargs)
        except kinds as error:
            _tell(error)
            return True

    return take_or_drop


def _tell(error: Exception) -> None:
    log.error("a malformed message is dropped", error=repr(error), exc_info=error)
