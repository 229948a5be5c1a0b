"""The door of the chaos suite, as a feature of a sync service has it."""

from random import choice
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from app.chaos.tasks import leave_effect, leave_effect_in_company
from groundwork.data import SessionDep
from groundwork.jobs import enqueue

router = APIRouter(prefix="/chaos")


class Accepted(BaseModel):
    id: UUID


@router.post("/jobs", status_code=202)
def ask(seconds: float, session: SessionDep) -> Accepted:
    job = enqueue(session, choice((leave_effect, leave_effect_in_company)), seconds=seconds)
    session.commit()
    return Accepted(id=job.id)
