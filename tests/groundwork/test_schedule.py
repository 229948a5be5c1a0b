from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from app.schedule import SCHEDULE
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.entries import Entry, crontab, enqueue_ticks, every
from groundwork.jobs.models import Job, Status, Tick
from groundwork.jobs.outdated import housekeeping
from groundwork.testing import RunJob

# At an hour that does not come while the tests run.
NIGHT = str((datetime.now(UTC).hour + 12) % 24)
ENTRIES = (
    Entry("hourly", housekeeping, every(hours=1)),
    Entry("nightly", housekeeping, crontab(hour=NIGHT, minute="30")),
)


def at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-{time}").replace(tzinfo=UTC)


@pytest.fixture
def known(session: Session) -> None:
    """The entries have been seen before, and nothing has looked at them since."""
    assert enqueue_ticks(ENTRIES) == 0
    session.execute(update(Tick).values(at=text("now() - interval '3 days'")))
    session.commit()


def test_a_new_entry_starts_with_its_next_tick(session: Session) -> None:
    assert [enqueue_ticks(ENTRIES) for _ in range(2)] == [0, 0]
    assert session.scalar(select(func.count()).select_from(Tick)) == 2


@pytest.mark.usefixtures("known")
def test_ticks_that_were_missed_run_once(session: Session) -> None:
    assert [enqueue_ticks(ENTRIES) for _ in range(2)] == [2, 0]
    keys = [key or "" for key in session.scalars(select(Job.unique_key))]
    assert sorted(key.split(" 2")[0] for key in keys) == ["schedule: hourly", "schedule: nightly"]


@pytest.mark.usefixtures("known")
def test_relays_side_by_side_make_one_job_of_a_tick(session: Session) -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: enqueue_ticks(ENTRIES), range(8)))

    assert sum(made) == 2
    assert session.scalar(select(func.count()).select_from(Job)) == 2


@pytest.mark.usefixtures("known")
def test_a_wrong_entry_does_not_hinder_the_others_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    wrong = Entry("hourly", housekeeping, every(hours=1), {"no_such_argument": 1})

    assert [enqueue_ticks((wrong, ENTRIES[1])) for _ in range(3)] == [1, 0, 0]
    # Relays look each second, and the log is for people.
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("when", "last", "now", "tick"),
    [
        (every(minutes=10), "01 00:00", "01 00:09:59", None),
        (every(minutes=10), "01 00:00", "01 00:10", "01 00:10"),
        (every(minutes=10), "01 00:00", "01 01:05", "01 01:00"),
        # Another relay was faster: it moved the tick after this one had asked for the time.
        (every(minutes=10), "01 00:10", "01 00:09:59", None),
        (crontab(hour="3", minute="30"), "01 03:30", "02 03:29", None),
        (crontab(hour="3", minute="30"), "01 03:30", "02 03:30", "02 03:30"),
        (crontab(hour="3", minute="30"), "01 03:30", "05 02:00", "04 03:30"),
        (crontab(hour="3", minute="30"), "02 03:30", "02 03:29", None),
        (crontab(minute="*/15", day_of_week="mon"), "01 23:59", "04 12:00", "02 23:45"),
    ],
)
def test_the_newest_tick_counts(when: timedelta | crontab, last: str, now: str, tick: str | None) -> None:
    newest = Entry("x", housekeeping, when).newest_tick(at(last), at(now))

    assert newest == (at(tick) if tick else None)


class Counted(crontab):
    """Counts how often it is asked for the tick that follows another."""

    asked = 0

    def remaining_delta(self, *times: Any, **named: Any) -> Any:
        Counted.asked += 1
        return super().remaining_delta(*times, **named)


def test_after_a_long_absence_the_newest_tick_is_found_in_a_few_steps() -> None:
    newest = [
        Entry("x", housekeeping, when).newest_tick(at("01 00:00"), datetime(2030, 5, 2, 12, 0, 30, tzinfo=UTC))
        for when in (Counted(), Counted(hour="3", minute="30"), Counted(0, 0, day_of_month="1", month_of_year="1"))
    ]

    assert newest == [datetime(2030, *time, tzinfo=UTC) for time in ((5, 2, 12, 0), (5, 2, 3, 30), (1, 1, 0, 0))]
    assert 0 < Counted.asked < 100


def test_every_entry_can_be_enqueued(session: Session, run_job: RunJob) -> None:
    for entry in SCHEDULE:
        job = enqueue(session, entry.task, **entry.arguments)
        session.commit()
        run_job(job)
        assert job.status == Status.SUCCEEDED

    assert len({entry.name for entry in SCHEDULE}) == len(SCHEDULE)


def test_old_jobs_are_purged_and_unfinished_ones_never(session: Session, run_job: RunJob) -> None:
    old, new, waiting = (enqueue(session, housekeeping) for _ in range(3))
    session.commit()
    run_job(old)
    run_job(new)
    session.execute(update(Job).values(created_at=text("now() - interval '1 year'")))
    past = text("now() - interval '31 days'")
    session.execute(update(Job).where(Job.id == old.id).values(finished_at=past))
    session.commit()

    run_job(waiting)

    assert set(session.scalars(select(Job.id))) == {new.id, waiting.id}
    assert waiting.result["jobs"] == 1
