"""Who gets which status from which route. A route that is not in the table fails."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from people import bearer, new_user
from sqlalchemy import func
from sqlalchemy.orm import Session

from app.accounts.models import SignIn, User
from app.reports.models import Report
from app.settings import API
from groundwork.live import Dropped, Subscription
from groundwork.testing.permissions import (
    GROUNDWORK,
    WHO,
    Target,
    below,
    documented,
    everybody,
    routes_of,
    signed_in,
    statuses,
)

# Below the prefix of the API. `signed_in` lists the statuses of: owner, other, admin.
# Bodies name a wrong password or an invented token, so that the answer is all that happens.
TABLE = {
    "POST /users": everybody(202),
    "GET /users": signed_in(403, 403, 200),
    "GET /users/me": signed_in(200, 200, 200),
    "POST /users/me/password": signed_in(403, 403, 403),
    "POST /users/me/email": signed_in(403, 403, 403),
    "POST /users/me/deletion": signed_in(403, 403, 403),
    "GET /users/{user_id}": signed_in(403, 403, 200),
    "POST /users/{user_id}/deactivate": signed_in(403, 403, 204),
    "POST /users/{user_id}/reactivate": signed_in(403, 403, 204),
    "POST /auth/token": everybody(401),
    "POST /auth/refresh": everybody(401),
    "POST /auth/sign-out": signed_in(204, 204, 204),
    "POST /auth/sign-out-everywhere": signed_in(204, 204, 204),
    "GET /auth/sign-ins": signed_in(200, 200, 200),
    "DELETE /auth/sign-ins/{sign_in_id}": signed_in(204, 404, 404),
    "POST /auth/forgotten-password": everybody(202),
    "POST /auth/verify": everybody(400),
    "POST /auth/reset-password": everybody(400),
    "POST /auth/confirm-email": everybody(400),
    "GET /audit-events": signed_in(403, 403, 200),
    "POST /reports": signed_in(202, 202, 202),
    "GET /reports/{report_id}": signed_in(200, 404, 404),
}
BODIES: dict[str, dict[str, Any]] = {
    "POST /users": {"json": {"email": "new@example.org", "password": "four words of mine"}},
    "POST /users/me/password": {"json": {"current_password": "wrong", "password": "four words of mine"}},
    "POST /users/me/email": {"json": {"current_password": "wrong", "email": "new@example.org"}},
    "POST /users/me/deletion": {"json": {"current_password": "wrong"}},
    "POST /auth/token": {"data": {"username": "owner@example.org", "password": "wrong"}},
    "POST /auth/refresh": {"json": {"refresh_token": "invented"}},
    "POST /auth/forgotten-password": {"json": {"email": "owner@example.org"}},
    "POST /auth/verify": {"json": {"token": "invented"}},
    "POST /auth/reset-password": {"json": {"token": "invented", "password": "four words of mine"}},
    "POST /auth/confirm-email": {"json": {"token": "invented", "current_password": "wrong"}},
    "POST /reports": {"json": {"days": 1}},
}


def added(session: Session, row: Any) -> UUID:
    session.add(row)
    session.commit()
    return UUID(str(row.id))


# What a parameter of a path names: a thing of the owner's.
TARGETS: dict[str, Target] = {
    "user_id": lambda session, _: new_user(session, f"{uuid4()}@example.org").id,
    "sign_in_id": lambda session, owner: added(session, SignIn(user_id=owner, device="", address="")),
    "report_id": lambda session, owner: added(session, Report(owner_id=owner, signups={})),
}
# Your own routes and their bodies go below this line.
TABLE |= {}
BODIES |= {}
TARGETS |= {}

ALL = {"GET /health/live": everybody(200), "GET /health/ready": everybody(200)} | below(API, {**GROUNDWORK, **TABLE})


@pytest.fixture
def _streams_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """End each stream after its snapshot: the test client waits for the end."""

    async def changes(*_: object) -> None:
        raise Dropped

    monkeypatch.setattr(Subscription, "changes", changes)


@pytest.mark.usefixtures("_streams_end")
@pytest.mark.parametrize("who", WHO)
def test_every_route_answers_as_the_table_says(client: TestClient, session: Session, who: str) -> None:
    owner = new_user(session, "owner@example.org")
    asking = None if who == "anonymous" else owner
    if who in {"other", "admin", "deactivated"}:
        asking = new_user(session, f"{who}@example.org", admin=who == "admin")
        asking.deactivated_at = func.now() if who == "deactivated" else None
        session.commit()

    answers = statuses(
        client,
        session,
        ALL,
        below(API, BODIES),
        owner.id,
        TARGETS,
        headers=lambda: headers_of(session, asking, who),
    )

    assert answers == {route: codes[WHO.index(who)] for route, codes in ALL.items()}


def headers_of(session: Session, user: User | None, who: str) -> dict[str, str]:
    """The headers of a new sign-in, in the state that the column names."""
    if user is None:
        return {}
    sign_in = SignIn(user_id=user.id, device="", address="", ended_at=func.now() if who == "ended" else None)
    session.add(sign_in)
    session.commit()
    return bearer(sign_in, seconds=-1 if who == "expired" else 60)


def test_every_route_is_in_the_table(api: FastAPI) -> None:
    assert routes_of(api) == ALL.keys(), (
        'Say who gets what, below "Your own routes and their bodies go below this line."'
    )


def test_the_openapi_document_says_who_may_and_what_everybody_gets(api: FastAPI) -> None:
    assert documented(api, ALL) == []
