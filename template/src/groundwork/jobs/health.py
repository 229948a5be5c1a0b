"""Liveness and readiness, for load balancers, container platforms and alarms."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from groundwork.jobs.movement import complaint
from groundwork.jobs.service import movement

__all__ = ["health_routes"]

health_routes = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """`degraded`: requests are served and jobs are accepted, but jobs do not move, and `detail` says why."""

    status: Literal["ok", "degraded"]
    detail: str | None
    # Since a relay looked last; null: none ever did.
    relay_seconds: float | None
    # How long the oldest job has waited that might run.
    waiting_seconds: float


@health_routes.get("/live")
async def live() -> Health:
    """The process answers. Never in a thread: also when all of them are busy."""
    return Health()


@health_routes.get("/ready")
async def ready(seconds: Annotated[tuple[float | None, float] | None, Depends(movement)]) -> Readiness | Health:
    """The database answers too; 503 otherwise. Jobs that do not move are no reason to refuse requests.

    With HEALTH_TOKEN as bearer token the answer also says whether jobs move.
    """
    if seconds is None:
        return Health()
    detail = complaint(*seconds)
    relay_seconds, waiting_seconds = seconds
    return Readiness(
        status="degraded" if detail else "ok",
        detail=detail,
        relay_seconds=relay_seconds,
        waiting_seconds=waiting_seconds,
    )
