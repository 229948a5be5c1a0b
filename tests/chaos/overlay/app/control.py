"""The control: the same effect by plain Celery with its default settings, which promise nothing."""

import os
from time import sleep
from uuid import UUID, uuid4

import psycopg
from celery import Celery
from fastapi import APIRouter
from pydantic import BaseModel

plain = Celery("plain", broker=os.environ["BROKER_URL"], set_as_current=False)
router = APIRouter(prefix="/chaos")


class PlainTask(BaseModel):
    id: UUID


@plain.task
def leave_plain_effect(job_id: str, seconds: float) -> None:
    sleep(seconds)
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute("INSERT INTO effects (job_id) VALUES (%s)", (job_id,))


@router.post("/plain", status_code=202)
def ask(seconds: float) -> PlainTask:
    task_id = uuid4()
    leave_plain_effect.delay(str(task_id), seconds)
    return PlainTask(id=task_id)
