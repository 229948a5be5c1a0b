"""The service as it runs: API, worker process, and with a real broker the relay process."""

from fastapi.testclient import TestClient
from people import new_user
from sqlalchemy.orm import Session

from app.settings import API
from groundwork.testing import Outbox, Worker, token_in, until


def test_a_newcomer_gets_her_mail(client: TestClient, session: Session, outbox: Outbox, worker: Worker) -> None:
    ada = new_user(session, "ada@example.org", verified_at=None)

    client.post(f"{API}/auth/verification-link", json={"email": ada.email})
    token = token_in(until(outbox)[0])
    # The mail is sent some milliseconds before its job's transaction ends.
    until(lambda: client.post(f"{API}/auth/verify", json={"token": token}).status_code == 204)
    until(lambda: len(outbox()) == 2)

    assert outbox()[1]["Subject"] == "Your address is verified"
