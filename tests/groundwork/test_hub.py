"""What one client has not been sent yet."""

from asyncio import run
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from groundwork.live import Change, Dropped, Hub, Subscription
from groundwork.live.subscription import MOST_BEHIND


class Nothing:
    async def changes(self, ids: Sequence[UUID]) -> list[Change]:
        return []

    async def close(self) -> None:
        pass


def test_a_client_that_takes_nothing_is_dropped_and_what_changes_often_is_kept_once() -> None:
    slow, busy, one = Subscription(), Subscription(), uuid4()
    changes = [Change(new_job_id, 1, "{}", False) for new_job_id in (uuid4() for _ in range(MOST_BEHIND + 1))]

    for number, change in enumerate(changes):
        slow.offer(change)
        busy.offer(Change(one, number, str(number), False))

    assert [change.json for change in run(busy.changes(1)) or ()] == [str(MOST_BEHIND)]
    with pytest.raises(Dropped):
        run(slow.changes(1))


def test_who_comes_while_the_process_stops_is_not_kept() -> None:
    hub = Hub("any_channel", Nothing())
    hub.drop_all()

    with hub.subscribe(uuid4()) as late, pytest.raises(Dropped):
        run(late.changes(1))
