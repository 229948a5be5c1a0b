"""The service as it runs: API, worker process, and with a real broker the relay process."""

from conftest import PASSWORD
from fastapi.testclient import TestClient
from mail_fixtures import Outbox
from processes import Worker, until


def test_a_newcomer_gets_her_mail(client: TestClient, outbox: Outbox, worker: Worker) -> None:
    client.post("/api/v1/users", json={"email": "ada@example.org", "password": PASSWORD})
    body = until(outbox)[0].get_body(("plain",))
    token = body.get_content().partition("#token=")[2].split()[0]
    # The mail leaves some milliseconds before its job's transaction ends.
    until(lambda: client.post("/api/v1/auth/verify", json={"token": token}).status_code == 204)
    until(lambda: len(outbox()) == 2)

    assert outbox()[1]["Subject"] == "Your address is verified"
