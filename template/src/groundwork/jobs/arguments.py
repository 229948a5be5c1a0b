"""A task's arguments: checked where the job is asked for, and kept as JSON."""

import inspect
from collections.abc import Callable
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, SecretBytes, SecretStr, create_model
from pydantic.errors import PydanticSchemaGenerationError

from groundwork.jobs.running_job import RunningJob

__all__ = ["arguments_of"]

# Parameters of `enqueue` and `enqueue_once` themselves.
RESERVED = {"session", "task", "run_at", "unique_key", "queue", "owner", "key"}


def arguments_of(task: str, function: Callable[..., Any]) -> type[BaseModel]:
    """The function's parameters after the job, as a model that checks and converts them; raises TypeError."""
    if inspect.iscoroutinefunction(function):
        raise TypeError(f"{task} is a coroutine, which no worker runs; write `def`, not `async def`.")
    parameters = list(inspect.signature(function, eval_str=True).parameters.values())
    if not parameters or parameters[0].annotation not in (inspect.Parameter.empty, Any, RunningJob):
        raise TypeError(f"{task}: the first parameter of a task is its job; write `job: RunningJob`.")
    fields: dict[str, Any] = {}
    for each in parameters[1:]:
        if each.name in RESERVED:
            raise TypeError(f"{task}: {each.name!r} is a parameter of enqueue(); give the task's another name.")
        if each.annotation is each.empty or each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
            raise TypeError(f"{task}: {each.name!r} needs a name and an annotation of its own, to be checked by.")
        if {each.annotation, *get_args(each.annotation)} & {SecretStr, SecretBytes}:
            raise TypeError(f"{task}: {each.name!r} is a secret, and arguments are stored; pass an id.")
        fields[each.name] = (each.annotation, ... if each.default is each.empty else each.default)
    try:
        return create_model(task, __config__=ConfigDict(extra="forbid"), **fields)
    except PydanticSchemaGenerationError as error:
        raise TypeError(f"{task}: arguments are stored as JSON; pass ids, never rows. {error}") from None
