"""The router of a feature."""

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import Scope

__all__ = ["Router"]


class Router(APIRouter):
    """An APIRouter that a path without its prefix passes at once. APIRouter would try each of its routes."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        # Wherever the router is included, its prefix is part of the path, as far as it has no parameter.
        if self.prefix.partition("{")[0] not in scope["path"]:
            return Match.NONE, {}
        return super().matches(scope)
