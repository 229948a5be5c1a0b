"""Nobody tries passwords, links or addresses for long."""

from conftest import PASSWORD
from fastapi.testclient import TestClient
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.jobs.models import Job
from app.limits.models import RateLimit
from app.limits.tasks import purge_rate_limits
from app.users.models import User


def test_passwords_of_one_address_are_tried_ten_times(client: TestClient, user: User, session: Session) -> None:
    def attempt(email: str, password: str) -> int:
        return client.post("/api/v1/auth/token", data={"username": email, "password": password}).status_code

    codes = [attempt(email, "wrong password") for email in (user.email, "nobody@example.org") for _ in range(11)]

    # The same for an address that nobody has.
    assert codes == ([401] * 10 + [429]) * 2
    assert attempt(user.email, PASSWORD) == 429
    session.execute(update(RateLimit).values(ends_at=func.now()))
    session.commit()
    assert attempt(user.email, PASSWORD) == 200


def test_the_reply_says_when_to_come_back(client: TestClient) -> None:
    replies = [client.post("/api/v1/auth/forgotten-password", json={"email": "ada@example.org"}) for _ in range(6)]

    assert [reply.status_code for reply in replies] == [202] * 5 + [429]
    assert replies[5].json()["type"] == "urn:problem:too-many-requests"
    assert 3500 < int(replies[5].headers["retry-after"]) <= 3601


def test_one_client_cannot_try_many_addresses(client: TestClient, session: Session) -> None:
    wanted = [{"email": f"user{number}@example.org"} for number in range(51)]

    codes = [client.post("/api/v1/auth/verification-link", json=each).status_code for each in wanted]

    assert codes == [202] * 50 + [429]
    assert session.scalar(select(func.count()).select_from(Job)) == 50


def test_the_counts_name_nobody_and_go_when_their_time_is_over(client: TestClient, session: Session) -> None:
    client.post("/api/v1/auth/forgotten-password", json={"email": "ada@example.org"})
    keys = session.scalars(select(RateLimit.key)).all()
    session.execute(update(RateLimit).values(ends_at=func.now()))
    session.commit()

    purge_rate_limits.run(type("Job", (), {"session": session}))

    assert len(keys) == 2
    assert not any("ada" in key or "testclient" in key for key in keys)
    assert session.scalar(select(func.count()).select_from(RateLimit)) == 0
