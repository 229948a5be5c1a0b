"""Who is signed in, as the routes of an owner use it; and the routers of their features."""

from collections.abc import Iterator
from inspect import isawaitable
from typing import Any
from uuid import UUID

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from people import SignInAs
from sqlalchemy import event, func, update
from sqlalchemy.orm import Session

from app.accounts.auth import CurrentSignIn, CurrentUser
from app.accounts.models import SignIn, User
from app.main import create_app
from groundwork.data import SessionDep
from groundwork.data.tables import RequestSession
from groundwork.http import Router


@pytest.fixture
def api() -> FastAPI:
    """With routes of an owner."""
    api = create_app()

    @api.post("/email")
    async def change(user: CurrentUser, session: SessionDep) -> str:
        user.email = "lovelace@example.org"
        # Of either colour.
        commit: Any = session.commit
        if isawaitable(committed := commit()):
            await committed
        return user.email

    @api.post("/nothing")
    async def forget(user: CurrentUser) -> str:
        user.email = "eve@example.org"
        return user.email

    @api.get("/both")
    async def both(user: CurrentUser, current: CurrentSignIn) -> tuple[UUID, str]:
        assert current.user is user
        return user.id, current.device

    return api


@pytest.fixture
def own_client(api: FastAPI) -> Iterator[TestClient]:
    with TestClient(api) as client:
        yield client


def test_a_route_changes_the_current_user_by_its_commit_and_not_without(
    own_client: TestClient, user: User, sign_in: SignInAs, session: Session
) -> None:
    headers = sign_in()

    assert own_client.post("/nothing", headers=headers).status_code == 200
    session.refresh(user)
    assert user.email == "ada@example.org"

    assert own_client.post("/email", headers=headers).json() == "lovelace@example.org"
    session.refresh(user)
    assert user.email == "lovelace@example.org"


def test_the_user_and_the_sign_in_are_those_of_the_token(own_client: TestClient, user: User, sign_in: SignInAs) -> None:
    user_id, device = own_client.get("/both", headers=sign_in()).json()

    assert (user_id, bool(device)) == (str(user.id), True)


@pytest.mark.parametrize("path", ["/both", "/api/v1/users/me", "/api/v1/auth/sign-ins"])
@pytest.mark.parametrize("column", [SignIn.ended_at, User.deactivated_at], ids=["signed out", "deactivated"])
def test_who_is_signed_in_no_more_is_refused_at_once(
    own_client: TestClient, user: User, sign_in: SignInAs, session: Session, path: str, column: object
) -> None:
    headers = sign_in()
    assert own_client.get(path, headers=headers).status_code == 200

    ended = SignIn if column is SignIn.ended_at else User
    session.execute(update(ended).values({column: func.now()}))
    session.commit()

    assert own_client.get(path, headers=headers).status_code == 401


def test_the_current_user_is_one_statement(own_client: TestClient, user: User, sign_in: SignInAs) -> None:
    headers = sign_in()
    own_client.get("/api/v1/users/me", headers=headers)
    statements = []

    @event.listens_for(RequestSession, "do_orm_execute")
    def note(state: object) -> None:
        statements.append(state)

    try:
        assert own_client.get("/api/v1/users/me", headers=headers).status_code == 200
    finally:
        event.remove(RequestSession, "do_orm_execute", note)
    assert len(statements) == 1


def test_a_router_is_found_wherever_it_is_included() -> None:
    inner, outer, api = Router(prefix="/of/{owner}/things"), APIRouter(prefix="/outer"), FastAPI()

    @inner.get("/{thing}")
    async def get(owner: str, thing: int) -> list[object]:
        return [owner, thing]

    outer.include_router(inner, prefix="/middle")
    api.include_router(inner)
    api.include_router(inner, prefix="/below")
    api.include_router(outer)
    client = TestClient(api)

    for path in ("/of/ada/things/7", "/below/of/ada/things/7", "/outer/middle/of/ada/things/7"):
        assert client.get(path).json() == ["ada", 7]
        assert client.post(path).status_code == 405
    assert client.get("/middle/things/7").status_code == 404
