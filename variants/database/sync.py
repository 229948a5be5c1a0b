"""The database session of a web request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Annotated

from anyio import Semaphore, WouldBlock, fail_after, to_thread
from fastapi import Depends
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker
from starlette.requests import HTTPConnection

from groundwork.data.computing import at_a_time
from groundwork.data.request_end import end, keep_no_connection
from groundwork.data.server_settings import with_request_settings
from groundwork.data.silence import expect_answers
from groundwork.data.tables import RequestSession
from groundwork.settings import get_settings

__all__ = ["SessionDep", "Sessions", "held", "open_sessions"]


class Sessions(sessionmaker[Session]):
    """Makes sessions; `turn` admits as many requests as the pool has connections."""

    turn: Semaphore


@asynccontextmanager
async def open_sessions() -> AsyncIterator[Sessions]:
    """The pool of one API process, for as long as the process serves."""
    settings = get_settings()
    # A request keeps its connection while it waits for a thread. If other requests could block
    # every thread while they wait for a connection, nothing would move. So: as many requests as
    # connections, and at most as many that compute, a thread for each of them, and one connection
    # more than they hold.
    size = settings.database_pool_size
    engine = create_engine(
        "postgresql+psycopg://",
        pool_size=size,
        max_overflow=size + 1,
        pool_timeout=10,
        hide_parameters=True,
        connect_args=settings.request_arguments,
    )
    # Nobody can take the connection from the thread of a request that was given up.
    expect_answers(with_request_settings(engine), settings.request_timeout_seconds)
    to_thread.current_default_thread_limiter().total_tokens = size + at_a_time()
    sessions = Sessions(engine, class_=RequestSession, expire_on_commit=False)
    sessions.turn = Semaphore(size, max_value=size)
    try:
        yield sessions
    finally:
        engine.dispose()


async def get_session(connection: HTTPConnection) -> AsyncIterator[Session]:
    """One session per request or socket. The route commits; what it does not commit is rolled back."""
    sessions: Sessions = connection.app.state.sessions
    # A request that computes has its turn already, and a socket would keep one for hours.
    has_turn = hasattr(connection.state, "computes") or connection.scope["type"] == "websocket"
    async with nullcontext() if has_turn else _turn(sessions):
        session = sessions()
        keep_no_connection(connection, session, lambda work: to_thread.run_sync(work, session))
        try:
            yield session
        finally:
            # What a thread still does for a request that was given up is not written.
            end(session)
            if session.in_transaction():
                await to_thread.run_sync(session.close)
            else:
                # It has no connection, and so nothing to wait for in a thread.
                session.close()


@asynccontextmanager
async def _turn(sessions: Sessions) -> AsyncIterator[None]:
    try:
        sessions.turn.acquire_nowait()
    except WouldBlock:
        with fail_after(10):
            await sessions.turn.acquire()
    try:
        yield
    finally:
        sessions.turn.release()


def held(sessions: Sessions) -> int:
    """The connections that are kept for requests now, for tests."""
    return (sessions.turn.max_value or 0) - sessions.turn.value


# scope="function" gives the connection back before the response is sent.
SessionDep = Annotated[Session, Depends(get_session, scope="function")]
