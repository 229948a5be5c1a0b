"""Who gets what answer from which route. A route that is not in the table fails."""

from collections import defaultdict
from typing import Any
from uuid import uuid4

import pytest
from conftest import add_verified, bearer
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import func
from sqlalchemy.orm import Session
from work import add_user

from app.jobs.enqueue import enqueue
from app.realtime import Dropped, Subscription
from app.sign_ins.models import SignIn
from app.users.models import User

# The columns of the table. Of a sign-in that ended, the refresh token was used twice.
WHO = ("anonymous", "unverified", "owner", "other", "admin", "deactivated", "expired", "ended")


def everybody(code: int) -> list[int]:
    return [code] * len(WHO)


def signed_in(unverified: int, owner: int, other: int, admin: int) -> list[int]:
    return [401, unverified, owner, other, admin, 401, 401, 401]


# Bodies name a wrong password or an invented token, so that the answer is all that happens.
TABLE = {
    "GET /health/live": everybody(200),
    "GET /health/ready": everybody(200),
    "POST /api/v1/users": everybody(202),
    "GET /api/v1/users": signed_in(403, 403, 403, 200),
    "GET /api/v1/users/me": signed_in(200, 200, 200, 200),
    "POST /api/v1/users/me/password": signed_in(403, 403, 403, 403),
    "POST /api/v1/users/me/email": signed_in(403, 403, 403, 403),
    "POST /api/v1/users/me/deletion": signed_in(403, 403, 403, 403),
    "GET /api/v1/users/{user_id}": signed_in(403, 403, 403, 200),
    "POST /api/v1/users/{user_id}/deactivate": signed_in(403, 403, 403, 204),
    "POST /api/v1/users/{user_id}/reactivate": signed_in(403, 403, 403, 204),
    "POST /api/v1/auth/token": everybody(401),
    "POST /api/v1/auth/refresh": everybody(401),
    "POST /api/v1/auth/sign-out": signed_in(204, 204, 204, 204),
    "POST /api/v1/auth/sign-out-everywhere": signed_in(204, 204, 204, 204),
    "GET /api/v1/auth/sign-ins": signed_in(200, 200, 200, 200),
    "DELETE /api/v1/auth/sign-ins/{sign_in_id}": signed_in(404, 204, 404, 404),
    "POST /api/v1/auth/verification-link": everybody(202),
    "POST /api/v1/auth/forgotten-password": everybody(202),
    "POST /api/v1/auth/verify": everybody(400),
    "POST /api/v1/auth/reset-password": everybody(400),
    "POST /api/v1/auth/confirm-email": everybody(400),
    "GET /api/v1/jobs": signed_in(200, 200, 200, 200),
    "POST /api/v1/jobs/events/ticket": signed_in(200, 200, 200, 200),
    "GET /api/v1/jobs/events": signed_in(200, 200, 200, 200),
    # Of other people's jobs it shows nothing.
    "GET /api/v1/jobs/{job_id}/events": signed_in(200, 200, 200, 200),
    "GET /api/v1/jobs/{job_id}": signed_in(404, 200, 404, 200),
    "POST /api/v1/jobs/{job_id}/cancel": signed_in(404, 200, 404, 200),
    "POST /api/v1/jobs/{job_id}/retry": signed_in(403, 403, 403, 200),
    "POST /api/v1/webhooks/email": everybody(401),
    "GET /api/v1/suppressed-addresses": signed_in(403, 403, 403, 200),
    "DELETE /api/v1/suppressed-addresses/{email}": signed_in(403, 403, 403, 404),
    "GET /api/v1/audit-events": signed_in(403, 403, 403, 200),
    "POST /api/v1/reports": signed_in(403, 202, 202, 202),
    "GET /api/v1/reports/{report_id}": signed_in(404, 404, 404, 404),
}
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/v1/users": {"json": {"email": "new@example.org", "password": "four words of mine"}},
    "POST /api/v1/users/me/password": {"json": {"current_password": "wrong", "password": "four words of mine"}},
    "POST /api/v1/users/me/email": {"json": {"current_password": "wrong", "email": "new@example.org"}},
    "POST /api/v1/users/me/deletion": {"json": {"current_password": "wrong"}},
    "POST /api/v1/auth/token": {"data": {"username": "owner@example.org", "password": "wrong"}},
    "POST /api/v1/auth/refresh": {"json": {"refresh_token": "invented"}},
    "POST /api/v1/auth/verification-link": {"json": {"email": "owner@example.org"}},
    "POST /api/v1/auth/forgotten-password": {"json": {"email": "owner@example.org"}},
    "POST /api/v1/auth/verify": {"json": {"token": "invented"}},
    "POST /api/v1/auth/reset-password": {"json": {"token": "invented", "password": "four words of mine"}},
    "POST /api/v1/auth/confirm-email": {"json": {"token": "invented"}},
    "POST /api/v1/reports": {"json": {"days": 1}},
}
# Your own routes and their bodies go below this line.
TABLE |= {}
BODIES |= {}


@pytest.fixture
def _streams_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """After their snapshot: the client of tests waits for the end."""

    async def changes(*_: object) -> None:
        raise Dropped

    monkeypatch.setattr(Subscription, "changes", changes)


@pytest.mark.usefixtures("_streams_end", "webhook_set_up")
@pytest.mark.parametrize("who", WHO)
def test_every_route_answers_as_the_table_says(client: TestClient, session: Session, who: str) -> None:
    owner, other = (add_verified(session, f"{name}@example.org") for name in ("owner", "other"))
    asking = {"other": other, "anonymous": None}.get(who, owner if who in {"owner", "expired", "ended"} else None)
    if asking is None and who != "anonymous":
        asking = add_verified(session, f"{who}@example.org")
        asking.admin = who == "admin"
        asking.verified_at = None if who == "unverified" else asking.verified_at
        asking.deactivated_at = func.now() if who == "deactivated" else None
    targets = {"user_id": other.id, "email": "nobody@example.org", "report_id": uuid4()}
    session.commit()

    answers = {}
    for route in TABLE:
        method, _, path = route.partition(" ")
        if "{job_id}" in path:
            targets["job_id"] = enqueue(session, add_user, owner=owner.id, email="grace@example.org").id
        if "{sign_in_id}" in path:
            owners = SignIn(id=uuid4(), user_id=owner.id, device="", address="")
            session.add(owners)
            targets["sign_in_id"] = owners.id
        headers, url = signed_in_as(session, asking, who), path.format_map(defaultdict(uuid4, targets))
        if path.endswith("/retry"):
            client.post(url.replace("retry", "cancel"), headers=signed_in_as(session, owner, "owner"))
        answers[route] = client.request(method, url, headers=headers, **BODIES.get(route, {})).status_code

    assert answers == {route: codes[WHO.index(who)] for route, codes in TABLE.items()}


def signed_in_as(session: Session, user: User | None, who: str) -> dict[str, str]:
    """The headers of a new sign-in of theirs, in the state that their column says; commits what was added."""
    sign_in = user and SignIn(user_id=user.id, device="", address="", ended_at=func.now() if who == "ended" else None)
    session.add_all([sign_in] if sign_in else [])
    session.commit()
    return bearer(sign_in, seconds=-1 if who == "expired" else 60) if sign_in else {}


def test_every_route_is_in_the_table(api: FastAPI) -> None:
    routes = {f"{method.upper()} {path}" for path, methods in api.openapi()["paths"].items() for method in methods}

    assert routes == TABLE.keys(), 'Say who gets what, below "Your own routes and their bodies go below this line."'


def test_the_openapi_document_says_who_may_and_what_everybody_gets(api: FastAPI) -> None:
    paths = api.openapi()["paths"]

    for route, codes in TABLE.items():
        method, _, path = route.partition(" ")
        said = paths[path][method.lower()]
        assert bool(said.get("security")) == (codes != everybody(codes[0])), route
        assert {str(code) for code in codes} <= said["responses"].keys(), route
