"""Nobody is shown what is somebody else's, by whatever route that reads."""

from uuid import UUID

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from people import SignInAs, new_user
from sqlalchemy.orm import Session
from test_permissions import TARGETS
from work import add_user

from app.accounts.models import User
from app.settings import API
from groundwork.jobs import enqueue
from groundwork.live import Dropped, Subscription
from groundwork.testing.permissions import routes_of


@pytest.fixture
def hers(user: User, session: Session) -> dict[str, UUID]:
    """What Ada has, by the names in paths."""
    things = {name: make(session, user.id) for name, make in TARGETS.items() if name != "user_id"}
    job = enqueue(session, add_user, owner=user.id, email="secret@example.org")
    session.commit()
    return {"user_id": user.id, "job_id": job.id} | {name: UUID(str(thing)) for name, thing in things.items()}


def test_no_route_shows_a_person_what_is_another_ones(
    api: FastAPI,
    client: TestClient,
    user: User,
    hers: dict[str, UUID],
    session: Session,
    sign_in: SignInAs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def end(*_: object) -> None:
        raise Dropped

    # A stream ends after its snapshot.
    monkeypatch.setattr(Subscription, "changes", end)
    new_user(session, "eve@example.org")
    shown = {}
    for route in sorted(routes_of(api)):
        method, _, path = route.partition(" ")
        if method == "GET" and path.startswith(API):
            shown[route] = client.get(path.format(**hers), headers=sign_in("eve@example.org")).text
    # Each stream has a socket at the same path.
    for path in (f"{API}/jobs/events", f"{API}/jobs/{{job_id}}/events"):
        ticket = client.post(f"{API}/jobs/events/ticket", headers=sign_in("eve@example.org")).json()["ticket"]
        with client.websocket_connect(f"{path.format(**hers)}?ticket={ticket}") as socket:
            shown[f"socket {path}"] = socket.receive_text()

    secrets = [user.email, "secret@example.org", *map(str, hers.values())]
    assert {route for route, text in shown.items() if any(secret in text for secret in secrets)} == set()
    assert all("snapshot" in text for route, text in shown.items() if route.endswith("/jobs/events"))
