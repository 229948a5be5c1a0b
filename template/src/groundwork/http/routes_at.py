"""Which routes a path has, for what decides before a request reaches one."""

from collections.abc import Iterator
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.types import Scope

__all__ = ["routes_at"]


def routes_at(scope: Scope, path: str) -> Iterator[Any]:
    """The routes of a path below `root_path`, whatever their methods, in their order."""
    for route in iter_route_contexts(scope["app"].routes):
        pattern = getattr(route, "path_regex", None)
        if pattern is not None and pattern.match(path):
            yield route
