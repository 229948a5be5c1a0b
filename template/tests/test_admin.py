"""What administrators do, and what is written down of it."""

import pytest
from conftest import PASSWORD, SignInAs, add_verified
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session
from work import add_user

from app.jobs.enqueue import enqueue
from app.users.models import User

Headers = dict[str, str]


@pytest.fixture
def admin(client: TestClient, session: Session, sign_in: SignInAs) -> Headers:
    """The headers of an administrator who is signed in."""
    root = add_verified(session, "root@example.org")
    root.admin = True
    session.commit()
    return sign_in("root@example.org")


def test_users_are_listed_newest_first_in_pages_and_found_by_their_address(
    client: TestClient, session: Session, admin: Headers
) -> None:
    for name in ("ada", "grace", "ada_l", "adaxl"):
        add_verified(session, f"{name}@example.org")

    def emails(**params: str | int) -> list[str]:
        seen = client.get("/api/v1/users", params=params, headers=admin).json()
        return [each["email"].partition("@")[0] for each in seen]

    last = client.get("/api/v1/users", params={"limit": 2}, headers=admin).json()[-1]["id"]
    assert emails(limit=2) == ["adaxl", "ada_l"]
    assert emails(before=last) == ["grace", "ada", "root"]
    assert emails(search="ADA_") == ["ada_l"]
    assert emails(search="%") == []


def test_a_deactivated_user_is_out_at_once_until_reactivated(
    client: TestClient, user: User, admin: Headers, sign_in: SignInAs
) -> None:
    signed_in = sign_in()
    form = {"username": user.email, "password": PASSWORD}

    codes = [client.post(f"/api/v1/users/{user.id}/deactivate", headers=admin).status_code for _ in range(2)]

    assert codes == [204, 204]
    assert client.get("/api/v1/users/me", headers=signed_in).status_code == 401
    assert client.post("/api/v1/auth/token", data=form).status_code == 401
    assert client.get(f"/api/v1/users/{user.id}", headers=admin).json()["deactivated_at"] is not None
    assert client.post(f"/api/v1/users/{user.id}/reactivate", headers=admin).status_code == 204
    assert client.post("/api/v1/auth/token", data=form).status_code == 200
    assert client.get("/api/v1/users/me", headers=signed_in).status_code == 401


def test_administrators_do_not_lock_themselves_out(client: TestClient, admin: Headers) -> None:
    me = client.get("/api/v1/users/me", headers=admin).json()["id"]

    reply = client.post(f"/api/v1/users/{me}/deactivate", headers=admin)

    assert (reply.status_code, reply.json()["type"]) == (409, "urn:problem:not-yourself")
    assert client.get("/api/v1/users/me", headers=admin).status_code == 200


def test_administrators_see_and_cancel_everybodys_jobs(
    client: TestClient, user: User, session: Session, admin: Headers, sign_in: SignInAs
) -> None:
    job = enqueue(session, add_user, owner=user.id, email="grace@example.org")
    session.commit()
    everybodys: dict[str, str | bool] = {"everybody": True, "status": "queued"}

    seen = client.get("/api/v1/jobs", params=everybodys, headers=admin).json()
    cancelled = client.post(f"/api/v1/jobs/{job.id}/cancel", headers=admin)

    assert [each["id"] for each in seen] == [str(job.id)]
    assert cancelled.json()["status"] == "cancelled"
    assert client.get("/api/v1/jobs", params=everybodys, headers=admin).json() == []
    assert client.get("/api/v1/jobs", params={"everybody": True}, headers=sign_in()).status_code == 403


def test_the_audit_log_tells_what_happened_to_an_account(client: TestClient, admin: Headers) -> None:
    form = {"username": "ada@example.org", "password": PASSWORD}
    client.post("/api/v1/users", json={"email": form["username"], "password": PASSWORD})
    client.post("/api/v1/auth/token", data=form | {"password": "wrong password"})
    token = client.post("/api/v1/auth/token", data=form).json()["access_token"]
    client.post("/api/v1/auth/sign-out", headers={"Authorization": f"Bearer {token}", "User-Agent": "curl/8.14"})
    user_id = client.get("/api/v1/users", headers=admin).json()[0]["id"]
    client.post(f"/api/v1/users/{user_id}/deactivate", headers=admin)

    seen = client.get("/api/v1/audit-events", params={"user_id": user_id}, headers=admin).json()
    kinds = [event["kind"] for event in seen]
    rest = client.get("/api/v1/audit-events", params={"before": seen[-2]["id"], "limit": 1}, headers=admin).json()

    assert kinds == ["deactivated", "signed-out", "signed-in", "sign-in-failed", "registered"]
    assert seen[0]["actor_id"] == client.get("/api/v1/users/me", headers=admin).json()["id"]
    assert (seen[1]["address"], seen[1]["device"]) == ("testclient", "curl")
    assert [event["id"] for event in rest] < [seen[-2]["id"]]
    assert "wrong password" not in str(seen)
    filtered = client.get("/api/v1/audit-events", params={"kind": "deactivated"}, headers=admin).json()
    assert [event["kind"] for event in filtered] == ["deactivated"]
