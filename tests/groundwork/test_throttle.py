"""The counts of limits."""

from fastapi.testclient import TestClient
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.settings import API
from groundwork.http.models import RateLimit
from groundwork.jobs import enqueue, housekeeping
from groundwork.testing import RunJob


def test_the_counts_name_nobody_and_go_when_their_time_is_over(
    client: TestClient, session: Session, run_job: RunJob
) -> None:
    client.post(f"{API}/auth/forgotten-password", json={"email": "ada@example.org"})
    keys = session.scalars(select(RateLimit.key)).all()
    session.execute(update(RateLimit).values(ends_at=func.now()))
    session.commit()

    job = enqueue(session, housekeeping)
    session.commit()
    run_job(job)

    assert len(keys) == 2
    assert not any("ada" in key or "testclient" in key for key in keys)
    assert session.scalar(select(func.count()).select_from(RateLimit)) == 0
