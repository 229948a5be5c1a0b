"""The session of a request is of no use after it, and a socket that waits keeps no connection."""

from asyncio import gather
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from inspect import isawaitable
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket
from fastapi.exceptions import FastAPIError
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from people import new_user
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, InvalidRequestError
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.main import create_app
from groundwork.data import SessionDep
from groundwork.data.request_session import held
from groundwork.http import ClientDep
from groundwork.testing import SetVariable

ONE = text("SELECT 1")


async def ask(session: Any) -> int:
    answer = session.scalar(ONE)
    return int(await answer if isawaitable(answer) else answer)


async def add(session: Any) -> None:
    session.add(User(email="ada@example.org"))


async def flush(session: Any) -> None:
    flushed = session.flush()
    if isawaitable(flushed):
        await flushed


async def begin(session: Any) -> None:
    transaction = session.begin()
    if not hasattr(transaction, "__enter__"):
        await transaction


async def found(session: Any) -> User:
    answer = session.scalar(select(User))
    user: User = await answer if isawaitable(answer) else answer
    return user


LATER = {"ask": ask, "add": add, "begin": begin}


async def asked(session: SessionDep) -> AsyncIterator[int]:
    yield await ask(session)
    # Before the session ends.
    await ask(session)


@pytest.fixture
def api(set_variable: SetVariable) -> FastAPI:
    """With routes of an owner, and one connection for requests."""
    set_variable("DATABASE_POOL_SIZE", "1")
    api = create_app()

    @api.get("/background/{name}")
    async def background(name: str, session: SessionDep, tasks: BackgroundTasks) -> int:
        tasks.add_task(LATER[name], session)
        return await ask(session)

    @api.get("/stream")
    async def stream(session: SessionDep) -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            yield str(await ask(session))

        return StreamingResponse(body())

    @api.get("/lines")
    async def lines(session: SessionDep) -> AsyncIterator[int]:
        yield await ask(session)

    @api.get("/dependency")
    async def dependency(one: Annotated[int, Depends(asked, scope="function")]) -> int:
        return one

    @api.get("/at-once")
    async def at_once(session: SessionDep) -> list[int]:
        return list(await gather(ask(session), ask(session), ask(session)))

    @api.websocket("/socket")
    async def socket(socket: WebSocket, session: SessionDep, client: ClientDep) -> None:
        await socket.accept()
        user = await found(session)
        async for message in socket.iter_text():
            await socket.send_text(f"{message}: {await ask(session)} for {client.address} and {user.email}")

    @api.websocket("/careless")
    async def careless(socket: WebSocket, session: SessionDep) -> None:
        await socket.accept()
        session.add(User(email="eve@example.org"))
        await socket.send_text("written")

    @api.websocket("/broken")
    async def broken(socket: WebSocket, session: SessionDep) -> None:
        await socket.accept()
        session.add(User(email=None))
        try:
            await flush(session)
        except IntegrityError:
            await socket.send_text("refused")
        await socket.send_text(str(await ask(session)))

    return api


@pytest.fixture
def own_client(api: FastAPI) -> Iterator[TestClient]:
    with TestClient(api) as client:
        yield client


@pytest.mark.parametrize("path", ["/stream", "/lines", *(f"/background/{name}" for name in LATER)])
def test_a_session_that_is_used_after_its_route_says_what_to_write(own_client: TestClient, path: str) -> None:
    # More often than the pool has connections.
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"ends with its route.* `with new_session\(\) as session:`"):
            own_client.get(path)

    assert own_client.get("/health/ready").status_code == 200


def test_a_route_that_leaves_tasks_behind_keeps_no_connection(own_client: TestClient, api: FastAPI) -> None:
    # The first of them is the one that connects.
    for _ in range(2):
        with suppress(InvalidRequestError):
            own_client.get("/at-once")

    assert own_client.get("/health/ready").status_code == 200
    assert held(api.state.sessions) == 0


def test_a_dependency_that_asks_to_its_end_is_declared_for_the_route(own_client: TestClient, api: FastAPI) -> None:
    assert [own_client.get("/dependency").json() for _ in range(2)] == [1, 1]

    with pytest.raises(FastAPIError, match="scope"):
        api.add_api_route("/longer", longer)


async def longer(one: Annotated[int, Depends(asked)]) -> int:
    return one


def test_a_socket_may_use_the_session_and_keeps_no_connection(
    own_client: TestClient, api: FastAPI, session: Session
) -> None:
    new_user(session, "ada@example.org")
    with own_client.websocket_connect("/socket") as first, own_client.websocket_connect("/socket") as second:
        for socket in (first, second, first):
            socket.send_text("asked")
            assert socket.receive_text() == "asked: 1 for testclient and ada@example.org"

        assert own_client.get("/health/ready").status_code == 200
        assert own_client.get("/dependency").json() == 1
    assert held(api.state.sessions) == 0


def test_a_socket_goes_on_after_an_error_of_the_database(own_client: TestClient) -> None:
    with own_client.websocket_connect("/broken") as socket:
        assert socket.receive_text() == "refused"
        assert socket.receive_text() == "1"


def test_a_socket_commits_before_it_sends(own_client: TestClient, session: Session) -> None:
    socket = own_client.websocket_connect("/careless")
    with pytest.raises(RuntimeError, match="commits what it wrote"), socket:
        socket.receive_text()

    assert session.scalars(select(User)).all() == []
    assert own_client.get("/health/ready").status_code == 200
