import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.outdated import housekeeping
from groundwork.settings import get_settings
from groundwork.testing import RunJob


@pytest.mark.usefixtures("relay_looked")
def test_a_started_service_is_live_and_ready(client: TestClient, monitor: dict[str, str]) -> None:
    assert client.get("/health/live").json() == {"status": "ok"}
    ready = client.get("/health/ready", headers=monitor).json()

    assert (ready["status"], ready["detail"], ready["waiting_seconds"]) == ("ok", None, 0)
    assert ready["relay_seconds"] < 30


def test_a_relay_that_has_never_run_is_said_and_requests_are_served(
    client: TestClient, monitor: dict[str, str]
) -> None:
    reply = client.get("/health/ready", headers=monitor)

    assert reply.status_code == 200
    assert reply.json()["status"] == "degraded"
    assert reply.json()["detail"].startswith("No relay has run yet")


@pytest.mark.usefixtures("relay_looked")
def test_a_relay_that_fell_silent_is_said(client: TestClient, session: Session, monitor: dict[str, str]) -> None:
    session.execute(text("UPDATE ticks SET at = now() - interval '1 minute'"))
    session.commit()

    detail = client.get("/health/ready", headers=monitor).json()["detail"]
    assert re.fullmatch(r"No relay has looked for 6\d s; is `app relay` running\?", detail)


@pytest.mark.usefixtures("relay_looked")
def test_a_job_that_waits_for_long_is_said_until_it_has_run(
    client: TestClient, session: Session, run_job: RunJob, monitor: dict[str, str]
) -> None:
    job = enqueue(session, housekeeping)
    session.commit()
    # Published again and again, and nobody takes it.
    session.execute(text("UPDATE jobs SET run_at = now() - interval '10 minutes', due_at = now() + interval '1 hour'"))
    session.commit()
    waiting = client.get("/health/ready", headers=monitor).json()
    run_job(job)

    assert re.match(r"The oldest job has waited for 60\d s;", waiting["detail"])
    assert client.get("/health/ready", headers=monitor).json()["status"] == "ok"


def test_strangers_learn_only_that_the_service_answers(client: TestClient, monitor: dict[str, str]) -> None:
    others = [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer None"},
        {"Authorization": f"Basic {get_settings().health_token}"},
    ]

    replies = [client.get("/health/ready", headers=headers) for headers in others]

    assert [(reply.status_code, reply.json()) for reply in replies] == [(200, {"status": "ok"})] * 4


def test_without_a_token_of_the_service_nobody_reads_the_figures(client: TestClient) -> None:
    reply = client.get("/health/ready", headers={"Authorization": "Bearer None"})

    assert reply.json() == {"status": "ok"}
