"""The time of a request that has begun to answer, and of the client that takes the answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from groundwork.http import in_time

START: Message = {"type": "http.response.start", "status": 200, "headers": []}
PART: Message = {"type": "http.response.body", "body": b"x", "more_body": True}
END: Message = {"type": "http.response.body", "body": b"x"}
SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": []}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_time, "PATIENCE", 0.1)


def answered(app: Callable[[Scope, Receive, Send], Awaitable[None]], taken: int = 1000) -> list[Message]:
    """The messages of an application that has a tenth of a second, to a client that takes so many of them."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        if len(sent) == taken:
            # Long, and not for ever: where nobody gives it up, the test is to fail.
            await asyncio.sleep(5)
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nobody asks")

    asyncio.run(in_time.InTime(app, 0.1)(SCOPE, receive, send))
    return sent


def test_an_answer_that_has_begun_may_go_on_for_ever() -> None:
    async def stream(_: Any, __: Any, send: Send) -> None:
        for message in (START, PART, END):
            await send(message)
            await asyncio.sleep(0.3)

    assert answered(stream) == [START, PART, END]


@pytest.mark.parametrize("taken", range(3))
def test_a_client_that_takes_no_more_is_given_up(taken: int) -> None:
    ended = False

    async def stream(_: Any, __: Any, send: Send) -> None:
        nonlocal ended
        try:
            for message in (START, PART, END):
                await asyncio.sleep(0)
                await send(message)
        finally:
            # This would wait for the client, too.
            await send(END)
            ended = True

    assert answered(stream, taken) == [START, PART, END][:taken]
    assert ended


def test_one_part_that_is_taken_is_not_another_one() -> None:
    """Messages of a socket come from several tasks."""
    sent: list[str] = []

    async def app(_: Any, __: Any, send: Send) -> None:
        async def talk() -> None:
            for _ in range(500):
                await send({"type": "websocket.send", "text": "taken"})
                await asyncio.sleep(0.01)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(talk())
            await send({"type": "websocket.send", "text": "hung"})

    async def send(message: Message) -> None:
        if message["text"] == "hung":
            await asyncio.sleep(5)
        sent.append(message["text"])

    async def receive() -> Message:
        raise AssertionError("nobody asks")

    scope = SCOPE | {"type": "websocket"}
    asyncio.run(in_time.InTime(app, 0.1)(scope, receive, send))

    assert set(sent) == {"taken"}


def test_an_end_that_somebody_else_wants_is_theirs() -> None:
    async def app(_: Any, __: Any, send: Send) -> None:
        await send(START)
        work = asyncio.current_task()
        assert work is not None
        work.cancel()
        await asyncio.sleep(3600)

    with pytest.raises(asyncio.CancelledError):
        answered(app)
