"""The service as it runs: API, worker process, and with a real broker the relay process."""

from fastapi.testclient import TestClient

from app.accounts.models import User
from app.settings import API
from groundwork.testing import Outbox, Worker, token_in, until


def test_a_person_gets_her_mail(client: TestClient, user: User, outbox: Outbox, worker: Worker) -> None:
    client.post(f"{API}/auth/forgotten-password", json={"email": user.email})
    new = {"token": token_in(until(outbox)[0]), "password": "an entirely new one"}
    reply = client.post(f"{API}/auth/reset-password", json=new)
    until(lambda: len(outbox()) == 2)

    assert reply.status_code == 204
    assert outbox()[1]["Subject"] == "Your password was changed"
