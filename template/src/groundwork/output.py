"""The output of the log: lines that nobody else hears go past `logging`, whose records cost more than the lines."""

import logging
from collections.abc import Sequence
from types import FunctionType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, ProcessorReturnValue, WrappedLogger

__all__ = ["Output", "straight"]

FORMATTER = structlog.stdlib.ProcessorFormatter


class Output(logging.StreamHandler[TextIO]):
    """Writes events as lines, those of structlog and those that come as records of `logging`."""

    def __init__(self, stream: TextIO, renderers: Sequence[Processor], foreign: Sequence[Processor]) -> None:
        super().__init__(stream)
        self.renderers = renderers
        self.own = FORMATTER(foreign_pre_chain=foreign, processors=[FORMATTER.remove_processors_meta, *renderers])
        self.setFormatter(self.own)

    def write(self, logger: WrappedLogger, name: str, event: EventDict) -> None:
        line: Any = event
        try:
            for render in self.renderers:
                line = render(logger, name, line)
            self.acquire()
            try:
                self.stream.write(f"{line}\n")
                self.flush()
            finally:
                self.release()
        except Exception:
            # As each handler of `logging` does: a line that cannot be written stops nobody.
            self.handleError(logging.makeLogRecord({"msg": line}))


def straight(logger: WrappedLogger, name: str, event: EventDict) -> ProcessorReturnValue:
    """The last processor of structlog: writes the event, or hands it to `logging` where somebody else listens."""
    if name == "info" and (output := _only_output(logger)):
        output.write(logger, name, event)
        raise structlog.DropEvent
    return FORMATTER.wrap_for_formatter(logger, name, event)


def _only_output(logger: logging.Logger) -> Output | None:
    """The service's own handler, if nothing else would hear or change a record of this logger."""
    handlers: list[logging.Handler] = []
    each: logging.Logger | None = logger
    while each:
        handlers += each.handlers
        each = each.parent if each.propagate else None
    only = handlers[0] if len(handlers) == 1 else None
    if not isinstance(only, Output) or only.formatter is not only.own or only.level > logging.INFO:
        return None
    if logger.filters or only.filters or not logger.isEnabledFor(logging.INFO) or _steps(type(logger)) != STEPS:
        return None
    return only


def _steps(kind: type[logging.Logger]) -> list[object]:
    """The functions that make a record and pass it to the handlers. Tools replace some of them, as Sentry does."""
    return [logging.getLogRecordFactory(), kind.info, kind._log, kind.makeRecord, kind.handle, kind.callHandlers]


# Those of `logging` alone: where a tool came before this module, one is missing, and all lines go through `logging`.
STEPS = [
    step
    for step in _steps(logging.Logger)
    if step is logging.LogRecord or (type(step) is FunctionType and step.__globals__ is vars(logging))
]
