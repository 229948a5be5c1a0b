"""Liveness and readiness, for load balancers and container platforms."""

from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from app.session import database_answers

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    status: Literal["ok"] = "ok"


@router.get("/live")
async def live() -> Health:
    """The process answers."""
    return Health()


@router.get("/ready", dependencies=[Depends(database_answers)])
async def ready() -> Health:
    """The database answers too; 503 otherwise."""
    return Health()
