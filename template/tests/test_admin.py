"""What administrators do, and what is written down of it."""

from fastapi.testclient import TestClient
from people import ME, PASSWORD, SignInAs, new_user
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.settings import API

Headers = dict[str, str]


def test_users_are_listed_newest_first_in_pages_and_found_by_their_address(
    client: TestClient, session: Session, admin: Headers
) -> None:
    for name in ("ada", "grace", "ada_l", "adaxl"):
        new_user(session, f"{name}@example.org")

    def emails(**params: str | int) -> list[str]:
        seen = client.get(f"{API}/users", params=params, headers=admin).json()
        return [each["email"].partition("@")[0] for each in seen]

    last = client.get(f"{API}/users", params={"limit": 2}, headers=admin).json()[-1]["id"]
    assert emails(limit=2) == ["adaxl", "ada_l"]
    assert emails(before=last) == ["grace", "ada", "root"]
    assert emails(search="ADA_") == ["ada_l"]
    assert emails(search="%") == []


def test_a_deactivated_user_is_out_at_once_until_reactivated(
    client: TestClient, user: User, admin: Headers, sign_in: SignInAs
) -> None:
    signed_in = sign_in()
    form = {"username": user.email, "password": PASSWORD}

    codes = [client.post(f"{API}/users/{user.id}/deactivate", headers=admin).status_code for _ in range(2)]

    assert codes == [204, 204]
    assert client.get(ME, headers=signed_in).status_code == 401
    assert client.post(f"{API}/auth/token", data=form).status_code == 401
    assert client.get(f"{API}/users/{user.id}", headers=admin).json()["deactivated_at"] is not None
    assert client.post(f"{API}/users/{user.id}/reactivate", headers=admin).status_code == 204
    assert client.post(f"{API}/auth/token", data=form).status_code == 200
    assert client.get(ME, headers=signed_in).status_code == 401


def test_administrators_do_not_lock_themselves_out(client: TestClient, admin: Headers) -> None:
    me = client.get(ME, headers=admin).json()["id"]

    reply = client.post(f"{API}/users/{me}/deactivate", headers=admin)

    assert (reply.status_code, reply.json()["type"]) == (409, "urn:problem:not-yourself")
    assert client.get(ME, headers=admin).status_code == 200


def test_the_audit_log_tells_what_happened_to_an_account(client: TestClient, user: User, admin: Headers) -> None:
    form = {"username": user.email, "password": PASSWORD}
    client.post(f"{API}/auth/token", data=form | {"password": "wrong password"})
    token = client.post(f"{API}/auth/token", data=form).json()["access_token"]
    client.post(f"{API}/auth/sign-out", headers={"Authorization": f"Bearer {token}", "User-Agent": "curl/8.14"})
    client.post(f"{API}/users/{user.id}/deactivate", headers=admin)

    seen = client.get(f"{API}/audit-events", params={"user_id": str(user.id)}, headers=admin).json()
    rest = client.get(f"{API}/audit-events", params={"before": seen[-2]["id"], "limit": 1}, headers=admin).json()
    filtered = client.get(f"{API}/audit-events", params={"kind": "deactivated"}, headers=admin).json()

    assert [event["kind"] for event in seen] == ["deactivated", "signed-out", "signed-in", "sign-in-failed"]
    assert seen[0]["actor_id"] == client.get(ME, headers=admin).json()["id"]
    assert (seen[1]["address"], seen[1]["device"]) == ("testclient", "curl")
    assert [event["id"] for event in rest] == [seen[-1]["id"]]
    assert "wrong password" not in str(seen)
    assert [event["kind"] for event in filtered] == ["deactivated"]
