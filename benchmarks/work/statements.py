"""Asks what people, workers and the housekeeping ask of the jobs table, as the service does it; prints the times in ms.

With `explain` PostgreSQL's plans of these statements follow, on the standard error output.
"""

import asyncio
import gc
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from time import perf_counter, time
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, event, func, literal, update

from app.accounts.models import User
from groundwork.data import engine, new_session
from groundwork.data.request_session import open_sessions
from groundwork.jobs import Job, Status, enqueue, housekeeping
from groundwork.jobs.feed import NEWS, SNAPSHOT, Feed
from groundwork.jobs.movement import MOVEMENT
from groundwork.jobs.service import list_jobs
from groundwork.jobs.transitions import GIVE_BACK

__all__ = ["User", "main"]

TIMES = 15
Seen = dict[str, list[float]]
asked: dict[str, Any] = {}


def main(owner: UUID, *, explain: bool) -> None:
    event.listen(Engine, "before_cursor_execute", lambda _, _cursor, text, values, *__: asked.update({text: values}))
    # As workers do: Python's own collection of what was imported would take longer than any statement.
    gc.freeze()
    seen: Seen = {}
    asyncio.run(_people(owner, seen))
    _worker(seen)
    _housekeeping(seen)
    print(json.dumps(seen))
    if explain:
        _explain({"owner": owner, "only": None, "since": 0, "known": [], "after": UUID(int=int(time() * 1000) << 80)})


async def _people(owner: UUID, seen: Seen) -> None:
    async def timed(name: str, ask: Callable[[], Awaitable[object]]) -> None:
        for turn in range(TIMES + 1):
            began = perf_counter()
            await ask()
            if turn:
                seen.setdefault(name, []).append(1000 * (perf_counter() - began))

    feed = Feed()
    async with open_sessions() as sessions, sessions() as session:
        await timed("how long the oldest has waited", lambda: session.execute(MOVEMENT))
        for whose, owner_id in (("everybody's", None), ("the heavy owner's", owner)):
            for status in (None, *Status):

                async def newest(status: Status | None = status, owner_id: UUID | None = owner_id) -> None:
                    await list_jobs(session, owner_id, status=status, before=None, limit=20)
                    session.expunge_all()

                await timed(f"list, {whose}{f', {status}' if status else ''}", newest)
    for name, since in (("never", 0), ("a minute ago", time() - 60), ("in 1970", 1e-6)):
        await timed(
            f"snapshot of the heavy owner, who was here {name}", partial(feed.snapshot, owner, None, int(since * 1e6))
        )
    running = [change.id for change in await feed.snapshot(owner, None, 0) if not change.ended]
    await timed("news of the heavy owner, at a heartbeat", lambda: feed.news(owner, None, running, 120))
    await feed.close()


def _worker(seen: Seen) -> None:
    running = Job.status == literal(Status.RUNNING, Job.status.type, literal_execute=True)
    changes = {
        "give back the jobs of a worker": GIVE_BACK,
        "find those whose lease is over": update(Job)
        .where(running, Job.due_at <= func.now())
        .values(due_at=func.now()),
    }
    for name, change in changes.items():
        for turn in range(TIMES + 1):
            with engine().connect() as connection:
                began = perf_counter()
                connection.execute(change, {"me": "celery@host-3:0123abcd/"} if change is GIVE_BACK else {})
                if turn:
                    seen.setdefault(name, []).append(1000 * (perf_counter() - began))


def _housekeeping(seen: Seen) -> None:
    began = 0.0

    def before(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        nonlocal began
        began = perf_counter()

    def after(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        if text.startswith("DELETE FROM jobs"):
            seen.setdefault("purge with nothing to do", []).append(1000 * (perf_counter() - began))

    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", after)
    for _ in range(TIMES):
        with new_session() as session:
            job = enqueue(session, housekeeping)
            session.commit()
        housekeeping.apply(task_id=str(job.id))


def _explain(watcher: dict[str, Any]) -> None:
    with engine().connect() as connection:
        for text, values in {**asked, SNAPSHOT: watcher, NEWS: watcher}.items():
            # Settings and the like have no plan.
            with suppress(Exception), connection.begin_nested():
                plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {text}", values)
                print(text, *plan.scalars(), "", sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main(UUID(sys.argv[1]), explain="explain" in sys.argv)
