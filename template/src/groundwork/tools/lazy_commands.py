"""A command line whose commands are imported when they run: `app --help` and the probes load none of them."""

from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command, get_group

__all__ = ["Commands"]


class Commands(typer.Typer):
    """A `typer.Typer` that can also name a command, or a group of commands, without importing it."""

    def add_lazy(self, name: str, reference: str, sentence: str) -> None:
        """Add the function or the Typer of a reference, "module:name"; `sentence` is its line in the list of commands."""

        class Lazy(TyperCommand):
            def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
                # Typer parses and runs a command by its context: from here on it is the imported one.
                return _imported(name, reference).make_context(info_name, args, parent, **extra)

        self.command(name, cls=Lazy, help=sentence)(lambda: None)


def _imported(name: str, reference: str) -> Any:
    command: typer.Typer | Callable[..., Any] = resolve_name(reference)
    if isinstance(command, typer.Typer):
        return get_group(command)
    alone = typer.Typer(add_completion=False)
    alone.command(name)(command)
    return get_command(alone)
