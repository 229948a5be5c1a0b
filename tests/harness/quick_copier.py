"""Copier does thousands of times what gives the same each time; here once. Nothing of this changes what is written.

Its command line, which some tests start, knows nothing of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from copier._main import Worker
from copier._template import load_template_config
from jinja2 import Environment

__all__ = ["quick_copier"]

_compile = Environment.compile
_compiled: dict[tuple[object, ...], Any] = {}
_load: Callable[..., dict[str, Any]] = load_template_config
_loaded: dict[tuple[str | int, ...], dict[str, Any]] = {}
_render_string: Callable[..., str] = Worker._render_string
_answers_relpath = Worker.answers_relpath


@contextmanager
def quick_copier(memory: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patches:
        # One compilation for each text.
        patches.setattr(Environment, "compile", _compile_once)
        # One reading of each copier.yml.
        patches.setattr("copier._template.load_template_config", _load_once)
        # No context of all answers, some milliseconds, for each part of each path that has nothing to render.
        patches.setattr(Worker, "_render_string", _render_what_has_braces)
        patches.setattr(Worker, "answers_relpath", property(_plain_answers_relpath))
        # No question to git about every file's executable bit.
        patches.setattr(Worker, "_sync_git_index_executable_bit", lambda *_: None)
        # Its two copies of a service, old and new, never touch the disk.
        patches.setattr("copier._main.TemporaryDirectory", partial(TemporaryDirectory, dir=memory))
        yield


def _compile_once(environment: Environment, *source: Any, **named: Any) -> Any:
    key = (*source, *named.values())
    if key not in _compiled:
        _compiled[key] = _compile(environment, *source, **named)
    return _compiled[key]


def _load_once(file: Path, quiet: bool = False) -> dict[str, Any]:
    written = file.stat()
    key = (str(file), written.st_mtime_ns, written.st_ino)
    if key not in _loaded:
        _loaded[key] = _load(file, quiet)
    # Copier changes what it gets.
    return deepcopy(_loaded[key])


def _render_what_has_braces(worker: Worker, string: str, extra_context: dict[str, Any] | None = None) -> str:
    return _render_string(worker, string, extra_context) if "{" in string else string


def _plain_answers_relpath(worker: Worker) -> Path:
    path = Path(worker.answers_file or worker.template.answers_relpath)
    return _answers_relpath.__get__(worker) if "{" in str(path) else path
