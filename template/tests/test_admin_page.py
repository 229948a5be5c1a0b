"""The page at /admin: who sees it, and what it shows to nobody."""

from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from people import ME, PASSWORD, SignInAs, new_user
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.accounts.models import Registration, SignIn, Token, User
from app.admin.views import VIEWS
from groundwork.audit import AuditEvent
from groundwork.http import sign_token
from groundwork.jobs import enqueue, housekeeping
from groundwork.mail import ReportedEvent, SuppressedAddress

PAGES = ["/admin/", *[f"/admin/{view.identity}/list" for view in VIEWS]]


@pytest.fixture
def browser(api: FastAPI, client: TestClient) -> TestClient:
    """With cookies of its own, on the event loop of `client`."""
    browser = TestClient(api, follow_redirects=False, raise_server_exceptions=False)
    browser.portal = client.portal
    return browser


@pytest.fixture
def root(session: Session) -> User:
    root = new_user(session, "root@example.org")
    root.admin = True
    session.commit()
    return root


def enter(browser: TestClient, email: str = "root@example.org", password: str = PASSWORD, **headers: str) -> Response:
    return browser.post("/admin/login", data={"username": email, "password": password}, headers=headers)


@pytest.fixture
def inside(browser: TestClient, root: User) -> TestClient:
    assert enter(browser).headers["location"] == "/admin/"
    return browser


def refused(browser: TestClient) -> bool:
    replies = [browser.get(page) for page in PAGES]
    return all(reply.status_code == 302 and reply.headers["location"].endswith("/admin/login") for reply in replies)


def test_only_administrators_come_in(
    browser: TestClient, user: User, root: User, session: Session, sign_in: SignInAs
) -> None:
    assert refused(browser)
    assert browser.get("/admin").headers["location"] == "/admin/"
    assert enter(browser, password="wrong password").headers["location"] == "/admin/login?refused=wrong-password"
    assert enter(browser, user.email).headers["location"] == "/admin/login?refused=not-admin"
    assert not browser.cookies
    assert "not an administrator" in browser.get("/admin/login?refused=not-admin").text
    # Neither a token of the API nor a link to something else opens it, not even an administrator's.
    access = sign_in("root@example.org")["Authorization"].removeprefix("Bearer ")
    browser.cookies.set("admin-page", access, path="/admin")
    assert refused(browser)
    # What the refused one began has ended.
    assert session.scalar(select(func.count()).where(SignIn.user_id == user.id, SignIn.ended_at.is_(None))) == 0


def test_an_administrator_sees_and_finds_everything_but_secrets(
    inside: TestClient, client: TestClient, user: User, session: Session
) -> None:
    job = enqueue(session, housekeeping, owner=user.id)
    event = ReportedEvent(id="e1", kind="bounced", email="eve@example.org", message_id="m1", reason="", at=func.now())
    session.add_all([event, SuppressedAddress(email="eve@example.org", kind="bounced", reason="nobody there")])
    session.add(Registration(hash=b"h", email="new@example.org", password_hash="$argon2", expires_at=func.now()))
    session.commit()
    details = [f"user/details/{user.id}", f"job/details/{job.id}", "reported-event/details/e1"]
    details += ["suppressed-address/details/eve@example.org"]
    details += [f"audit-event/details/{row}" for row in session.scalars(select(AuditEvent.id)).all()]

    pages = {page: inside.get(page) for page in [*PAGES, *[f"/admin/{detail}" for detail in details]]}

    assert {page: reply.status_code for page, reply in pages.items()} == dict.fromkeys(pages, 200)
    seen = {page: reply.text for page, reply in pages.items()}
    assert user.email in seen["/admin/user/list"]
    assert "housekeeping" in seen["/admin/job/list"]
    assert "new@example.org" in seen["/admin/registration/list"]
    assert "eve@example.org" in seen["/admin/reported-event/list"]
    assert "nobody there" in seen["/admin/suppressed-address/list"]
    assert "signed-in" in seen["/admin/audit-event/list"]
    everything = "".join(seen.values())
    hashes = [str(one) for one in session.scalars(select(User.password_hash))]
    secrets = [*hashes, *[one.hex() for one in session.scalars(select(Token.hash))], "argon2", "password_hash"]
    assert [secret for secret in secrets if secret in everything] == []
    found = inside.get("/admin/user/list?search=ADA@").text
    assert user.email in found
    assert "root@example.org" not in found


@pytest.mark.parametrize(
    "path",
    ["user/list?sortBy=password_hash", "user/details/nobody", "job/details/%00", "user/list?search=%00", "x/list"],
)
def test_what_nobody_means_is_refused(inside: TestClient, path: str) -> None:
    assert 400 <= inside.get(f"/admin/{path}").status_code < 500


def test_nothing_can_be_changed_there(inside: TestClient, root: User) -> None:
    tries = [
        inside.post("/admin/user/create", data={"email": "new@example.org"}),
        inside.post(f"/admin/user/edit/{root.id}", data={"email": "new@example.org"}),
        inside.delete(f"/admin/user/delete?pks={root.id}"),
        inside.post("/admin/user/import"),
        inside.get("/admin/user/export/csv"),
    ]

    assert {reply.status_code for reply in tries} == {403}


def test_what_was_ended_is_out_at_once(inside: TestClient, root: User, session: Session) -> None:
    row = session.scalars(select(SignIn).where(SignIn.user_id == root.id)).one()

    for change in (
        update(SignIn).values(ended_at=func.now()),
        update(User).values(deactivated_at=func.now()),
        update(User).values(admin=False),
    ):
        assert inside.get("/admin/").status_code == 200
        session.execute(change)
        session.commit()
        assert refused(inside)
        session.execute(update(SignIn).values(ended_at=None))
        session.execute(update(User).values(deactivated_at=None, admin=True))
        session.commit()
    cookie = inside.cookies["admin-page"]
    assert inside.get("/admin/logout").headers["location"] == "/admin/login"
    inside.cookies.set("admin-page", cookie, path="/admin")
    assert refused(inside)
    session.refresh(row)
    assert row.ended_at is not None


def test_other_sites_can_do_nothing_with_it(browser: TestClient, root: User) -> None:
    assert enter(browser, origin="https://evil.example").status_code == 403
    assert enter(browser, origin="null").status_code == 403
    own = enter(browser, origin="http://testserver")

    assert own.status_code == 303
    flags = own.headers["set-cookie"].lower()
    assert all(flag in flags for flag in ("samesite=strict", "httponly", "path=/admin"))


def test_no_script_and_nothing_from_elsewhere_is_let_in(inside: TestClient, root: User) -> None:
    for path in (*PAGES, "/admin/login", f"/admin/user/details/{root.id}"):
        reply = inside.get(path)
        assert "unsafe" not in reply.headers["content-security-policy"]
        assert reply.headers["cache-control"] == "no-store"
        assert "<script>" not in reply.text
        assert " style=" not in reply.text
        assert "https://" not in reply.text
    assert inside.get("/admin/statics/css/main.css").headers["cache-control"] == "max-age=86400"


def test_a_token_for_the_page_opens_nothing_else(
    client: TestClient, root: User, session: Session, sign_in: SignInAs
) -> None:
    sign_in("root@example.org")
    row = session.scalars(select(SignIn).where(SignIn.user_id == root.id)).one()
    token = sign_token("admin-page", row.id, timedelta(hours=1))

    assert client.get(ME, headers={"Authorization": f"Bearer {token}"}).status_code == 401
