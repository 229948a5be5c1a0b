"""The database session of a web request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from anyio import sleep
from fastapi import Depends
from sqlalchemy.exc import IllegalStateChangeError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from starlette.requests import HTTPConnection

from groundwork.data.request_end import end, keep_no_connection
from groundwork.data.server_settings import with_request_settings
from groundwork.data.silence import drop_lost
from groundwork.data.tables import RequestSession
from groundwork.settings import get_settings

__all__ = ["SessionDep", "Sessions", "held", "open_sessions"]

Sessions = async_sessionmaker[AsyncSession]


class _Session(AsyncSession):
    """One that closes also where a route has left a task behind, as a failed `asyncio.gather` does."""

    async def close(self) -> None:
        while True:
            try:
                return await super().close()
            except IllegalStateChangeError:
                # That task is on its way to a connection, which nobody would give back.
                await sleep(0.01)


@asynccontextmanager
async def open_sessions() -> AsyncIterator[Sessions]:
    """The pool of one API process, for as long as the process serves."""
    settings = get_settings()
    engine = create_async_engine(
        "postgresql+psycopg://",
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=10,
        hide_parameters=True,
        connect_args=settings.request_arguments,
    )
    # A request that is given up gives up its connection too, where the server stays silent.
    drop_lost(with_request_settings(engine.sync_engine))
    try:
        yield async_sessionmaker(engine, class_=_Session, sync_session_class=RequestSession, expire_on_commit=False)
    finally:
        await engine.dispose()


async def get_session(connection: HTTPConnection) -> AsyncIterator[AsyncSession]:
    """One session per request or socket. The route commits; what it does not commit is rolled back."""
    sessions: Sessions = connection.app.state.sessions
    session = sessions()
    keep_no_connection(connection, session, session.run_sync)
    try:
        yield session
    finally:
        end(session)
        if session.in_transaction():
            # SQLAlchemy ends it in a task of its own, which nobody interrupts who gives the request up.
            async with session:
                pass
        else:
            # It has no connection, and so nothing to wait for.
            await session.close()


def held(sessions: Sessions) -> int:
    """The connections that are kept for requests now, for tests."""
    return int(sessions.kw["bind"].pool.checkedout())


# scope="function" gives the connection back before the response is sent.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
