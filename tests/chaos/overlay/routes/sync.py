"""The door of the chaos suite, as a feature of a sync service has it."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from app.chaos.tasks import MORE, some_task
from groundwork.data import SessionDep
from groundwork.jobs import enqueue

router = APIRouter(prefix="/chaos")


class Accepted(BaseModel):
    id: UUID


@router.post("/jobs", status_code=202)
def ask(seconds: float, session: SessionDep, breaks: bool = False, queue: str | None = None) -> Accepted:
    task, way = some_task(breaks)
    job = enqueue(session, task, queue=queue, seconds=seconds, breaks=way, **MORE)
    session.commit()
    return Accepted(id=job.id)
