"""Nobody tries passwords, links or addresses for long."""

from fastapi.testclient import TestClient
from people import PASSWORD
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.settings import API
from groundwork.http.models import RateLimit
from groundwork.jobs import Job


def test_passwords_of_one_address_are_tried_ten_times(client: TestClient, user: User, session: Session) -> None:
    def attempt(email: str, password: str) -> int:
        return client.post(f"{API}/auth/token", data={"username": email, "password": password}).status_code

    codes = [attempt(email, "wrong password") for email in (user.email, "nobody@example.org") for _ in range(11)]

    # The same for an address that nobody has.
    assert codes == ([401] * 10 + [429]) * 2
    assert attempt(user.email, PASSWORD) == 429
    session.execute(update(RateLimit).values(ends_at=func.now()))
    session.commit()
    assert attempt(user.email, PASSWORD) == 200


def test_the_reply_says_when_to_come_back(client: TestClient) -> None:
    form = {"username": "ada@example.org", "password": "wrong password"}
    *_, reply = [client.post(f"{API}/auth/token", data=form) for _ in range(11)]

    assert reply.json()["type"] == "urn:problem:too-many-requests"
    assert 200 < int(reply.headers["retry-after"]) <= 301


def test_one_client_cannot_try_many_addresses(client: TestClient, session: Session) -> None:
    wanted = [{"email": f"user{number}@example.org"} for number in range(51)]

    codes = [client.post(f"{API}/auth/forgotten-password", json=each).status_code for each in wanted]

    assert codes == [202] * 50 + [429]
    assert session.scalar(select(func.count()).select_from(Job)) == 50
