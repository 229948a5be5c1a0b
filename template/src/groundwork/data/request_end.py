"""What ends with a request: its session, and before each message of a socket the transaction."""

from collections.abc import Awaitable, Callable
from typing import Any

from anyio import get_current_task
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.orm import Session, SessionTransaction
from starlette.requests import HTTPConnection
from starlette.types import Message
from starlette.websockets import WebSocket

from groundwork.data.tables import RequestSession

__all__ = ["end", "keep_no_connection"]

OVER = "over"
AFTER_ITS_ROUTE = (
    "The session of a request ends with its route, before the response is sent: in BackgroundTasks, in the body of a "
    "StreamingResponse and in a task of asyncio write `with new_session() as session:`, of groundwork.data, in a `def` "
    "function, which runs in a thread."
)
UNCOMMITTED = (
    "A WebSocket route commits what it wrote before it sends a message or waits for one: it would keep a connection to "
    "the database for as long as the client likes. What was not committed is rolled back."
)
WROTE = text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")

Run = Callable[[Callable[[Session], None]], Awaitable[None]]


def end(session: Any) -> None:
    """Refuse every later use of a session, or AsyncSession: it would keep a connection that nobody gives back."""
    session.info[OVER] = True


@event.listens_for(RequestSession, "after_transaction_create")
def _refuse(session: Session, transaction: SessionTransaction) -> None:
    if OVER in session.info:
        transaction.close()
        raise RuntimeError(AFTER_ITS_ROUTE)


def keep_no_connection(connection: HTTPConnection, session: Any, run: Run) -> None:
    """On a socket, end the transaction before each message; `run` calls a function with the session, in its colour."""
    if not isinstance(connection, WebSocket):
        return
    receive, send, route = connection.receive, connection.send, get_current_task()

    async def let_go() -> None:
        # Another task of the route may listen while the route works.
        if session.in_transaction() and get_current_task() == route:
            await run(_end_transaction)

    async def receive_without_transaction() -> Message:
        await let_go()
        return await receive()

    async def send_without_transaction(message: Message) -> None:
        await let_go()
        await send(message)

    # Starlette has no hook there, and every way to receive and to send leads through these two, of this socket alone.
    vars(connection).update(receive=receive_without_transaction, send=send_without_transaction)


def _end_transaction(session: Session) -> None:
    try:
        wrote = bool(session.new or session.deleted or session.dirty) or session.scalar(WROTE)
    except (DBAPIError, PendingRollbackError):
        # It failed before; whoever made it fail was told.
        session.rollback()
        return
    if wrote:
        session.rollback()
        raise RuntimeError(UNCOMMITTED)
    # What was read stays readable.
    session.commit()
