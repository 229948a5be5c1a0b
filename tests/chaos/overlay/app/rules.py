"""The ways in which a task may end the transaction of its job, which only the runner may do."""

from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import text
from sqlalchemy.orm import Session

Leave = Callable[[], object]


def _begin(session: Session, leave: Leave) -> None:
    with session.begin():
        leave()


def _after(act: Callable[[Session], object]) -> Callable[[Session, Leave], None]:
    def leave_and_act(session: Session, leave: Leave) -> None:
        leave()
        act(session)

    return leave_and_act


def _caught(act: Callable[[Session], object]) -> Callable[[Session, Leave], None]:
    """The task catches whatever is raised, and returns as if nothing had happened."""

    def leave_and_act(session: Session, leave: Leave) -> None:
        leave()
        with suppress(Exception):
            act(session)

    return leave_and_act


# SQLAlchemy has no part in it, so nothing can prevent it: the effect is kept.
BEHIND = "driver"
WAYS: dict[str, Callable[[Session, Leave], None]] = {
    "begin": _begin,
    "commit": _after(lambda session: session.commit()),
    "commit, caught": _caught(lambda session: session.commit()),
    "connection": _after(lambda session: session.connection().commit()),
    "sql": _after(lambda session: session.execute(text("COMMIT"))),
    "sql, caught": _caught(lambda session: session.execute(text("COMMIT"))),
    "rollback": _after(lambda session: session.rollback()),
    "rollback, caught": _caught(lambda session: session.rollback()),
    "close": _after(lambda session: session.close()),
    "invalidate": _after(lambda session: session.invalidate()),
    BEHIND: _after(lambda session: session.connection().connection.commit()),
}
