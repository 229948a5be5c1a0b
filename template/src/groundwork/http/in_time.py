"""The time of a request: until its answer begins, and until its client takes each part of it."""

from asyncio import CancelledError, Task, TimerHandle, create_task, current_task, get_running_loop
from math import inf

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundwork.http.problem import InternalError, Problem, refuse, reply_of

__all__ = ["InTime", "TimedOut"]

log = structlog.get_logger(__name__)

# Seconds that a part of an answer may wait for a client to take what was sent before.
PATIENCE = 20.0


class TimedOut(Problem):
    """It took too long, and was given up; try again later."""

    status, code, title = 503, "timed-out", "Timed out"
    # Or a client that sends its body slowly would keep its connection.
    headers = {"Retry-After": "5", "Connection": "close"}


class InTime:
    """Gives up requests and clients that take too long, and answers errors.

    A request without an answer after `seconds` is refused. An answer that has begun may go on for ever, as a stream
    does, while its client takes each part within PATIENCE. Of a client that is given up the connection alone stays,
    until TCP drops it or the server ends.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app, self.seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = current_task()
        if scope["type"] == "lifespan" or work is None:
            await self.app(scope, receive, send)
            return
        loop = get_running_loop()
        # A socket has no answer to wait for.
        begun = scope["type"] == "websocket"
        due = inf if begun else loop.time() + self.seconds
        # When each send began that has not ended, the oldest first.
        waiting: list[float] = []
        given_up = False
        refusal: Task[None] | None = None
        timer: TimerHandle

        async def send_in_time(message: Message) -> None:
            nonlocal begun
            begun = True
            if given_up:
                return
            waiting.append(since := loop.time())
            try:
                await send(message)
            finally:
                waiting.remove(since)

        # One timer for the request and for all parts of its answer. Most requests end before it fires.
        def look() -> None:
            nonlocal begun, given_up, refusal, timer
            now = loop.time()
            if not begun and now >= due:
                begun = given_up = True
                # At once: what runs in a thread cannot be stopped, and nobody is to wait for it.
                refusal = create_task(refuse(TimedOut(), scope, receive, send))
                work.cancel()
            elif waiting and now >= waiting[0] + PATIENCE:
                given_up = True
                log.warning("client given up: it takes nothing", path=scope["path"])
                work.cancel()
            else:
                again = (waiting[0] if waiting else now) + PATIENCE
                timer = loop.call_at(again if begun else min(again, due), look)

        timer = loop.call_at(min(due, loop.time() + PATIENCE), look)
        try:
            await self.app(scope, receive, send_in_time)
        except CancelledError:
            # Somebody else's, or ours as well as somebody else's.
            if not given_up or work.uncancel():
                raise
        except Exception:
            if not begun:
                # Inside of what every answer carries; what logs the error is outside.
                await reply_of(Request(scope), InternalError())(scope, receive, send_in_time)
            raise
        finally:
            timer.cancel()
        if refusal is not None:
            await refusal
