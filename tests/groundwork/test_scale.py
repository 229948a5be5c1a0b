"""What people ask for reads a few rows, however many jobs the table holds."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from people import SignInAs, new_user
from sqlalchemy import Engine, event, select, text
from sqlalchemy.orm import Session
from support import run

from app.accounts.models import User
from app.settings import API
from groundwork.data import engine
from groundwork.jobs import Job, Status, enqueue, housekeeping, stream
from groundwork.live.reader import Reader
from groundwork.testing import RunJob

MANY = 10_000
# In order of time, the first a month ago and the last now; `n` counts them.
ROWS = """
    INSERT INTO jobs (id, task, arguments, queue, owner_id, status, run_at, due_at, attempts, crashes, history,
        created_at, started_at, finished_at)
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000' || lpad(n::text, 12, '0'))::uuid,
        'groundwork.housekeeping', '{{}}', {queue}, CAST(:owner AS uuid), status, at, CASE WHEN ended THEN NULL ELSE at END, 0, 0, '[]',
        at, at, CASE WHEN ended THEN at END
    FROM (SELECT n, at, status, status NOT IN ('queued', 'running') AS ended FROM (
        SELECT n, now() - ({many} - n) * interval '30 days' / {many} AS at, {status} AS status FROM generate_series(1, {many}) AS n
    ) AS numbers) AS rows
"""
ENDED_AGO = """
    UPDATE jobs SET changed_at = now() - CAST(:ago AS interval),
        finished_at = CASE WHEN finished_at IS NOT NULL THEN now() - CAST(:ago AS interval) END
    WHERE id::text LIKE :id
"""
Statement = tuple[str, Any]


@pytest.fixture
def statements() -> Iterator[list[Statement]]:
    """What this process asks PostgreSQL of the jobs table."""
    asked: list[Statement] = []

    def remember(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM jobs" in statement and "EXPLAIN" not in statement:
            asked.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", remember)
    yield asked
    event.remove(Engine, "before_cursor_execute", remember)


@pytest.fixture
def table(session: Session) -> Iterator[Session]:
    """For a table of many rows: it is empty afterwards, without what deleted rows leave."""
    yield session
    session.rollback()
    with engine().begin() as connection:
        connection.exec_driver_sql("TRUNCATE jobs")


def fill(session: Session, status: str, *, owner: UUID | None = None, queue: str = "NULL", many: int = MANY) -> None:
    session.execute(text(ROWS.format(status=status, queue=queue, many=many)), {"owner": owner})
    session.commit()
    with engine().execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE jobs")


def rows_read(statement: Statement) -> int:
    """How many rows of jobs, or entries of their indexes, PostgreSQL reads to answer it."""
    with engine().connect() as connection:
        explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement[0]}", statement[1])
        return _rows(explained.scalar_one()[0]["Plan"])


def _rows(node: Mapping[str, Any]) -> int:
    own = sum(node.get(kind, 0) for kind in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck"))
    read = int(own * node["Actual Loops"]) if "Scan" in node["Node Type"] else 0
    return read + sum(_rows(part) for part in node.get("Plans", ()))


@pytest.mark.usefixtures("relay_looked")
def test_readiness_knows_the_oldest_of_all_queues_by_a_few_rows(
    client: TestClient, table: Session, statements: list[Statement], monitor: dict[str, str]
) -> None:
    fill(table, "'queued'", queue="'queue ' || n % 3")
    client.get("/health/ready", headers=monitor)
    rows = sum(rows_read(statement) for statement in statements)

    waited = []
    for change in (
        # The first of its queue is tried again later; then there is a published one; then all of them are for later.
        "UPDATE jobs SET run_at = now() + interval '1 hour', due_at = now() + interval '1 hour'",
        "UPDATE jobs SET run_at = now() - interval '50 s', due_at = now() - interval '50 s' WHERE queue = 'queue 1'",
        "UPDATE jobs SET run_at = now() - interval '70 s', published_at = now() WHERE queue = 'queue 2'",
    ):
        table.execute(text(change))
        table.commit()
        waited.append(client.get("/health/ready", headers=monitor).json()["waiting_seconds"])

    assert rows < 50
    assert [round(seconds, -1) for seconds in waited] == [0, 50, 70]


@pytest.mark.parametrize(
    ("everybody", "status"),
    # Everybody's that succeeded are read by their ids: the newest are always among them.
    [(True, status) for status in Status if status != Status.SUCCEEDED] + [(False, status) for status in Status],
)
def test_a_list_by_status_reads_few_rows_although_most_jobs_have_another(
    client: TestClient,
    user: User,
    table: Session,
    admin: dict[str, str],
    sign_in: SignInAs,
    statements: list[Statement],
    everybody: bool,
    status: Status,
) -> None:
    others = Status.QUEUED if status == Status.SUCCEEDED else Status.SUCCEEDED
    fill(table, f"CASE WHEN n IN (1, 2, 3, {MANY}) THEN '{status}' ELSE '{others}' END", owner=user.id)
    headers, url = admin if everybody else sign_in(), f"{API}/jobs?status={status}&everybody={everybody}"

    listed = client.get(f"{url}&limit=2", headers=headers).json()
    listed += client.get(f"{url}&limit=5&before={listed[-1]['id']}", headers=headers).json()
    rows = [rows_read(statement) for statement in statements if "LIMIT" in statement[0]]

    assert [job["status"] for job in listed] == [status] * 4
    assert [int(job["id"][-12:]) for job in listed] == [MANY, 3, 2, 1]
    assert len(rows) == 2
    assert max(rows) < 50


def test_to_ask_for_a_job_reads_few_of_the_jobs_that_a_person_has_had(
    client: TestClient, user: User, table: Session, sign_in: SignInAs, statements: list[Statement]
) -> None:
    fill(table, f"CASE WHEN n % {MANY // 20} = 1 THEN 'queued' ELSE 'succeeded' END", owner=user.id)

    accepted = client.post(f"{API}/reports", json={"days": 1}, headers=sign_in())
    [rows] = [rows_read(statement) for statement in statements if "count(*)" in statement[0]]

    assert accepted.status_code == 202
    assert rows < 100


def test_an_owners_list_has_all_states_in_order_of_time(
    client: TestClient, user: User, table: Session, sign_in: SignInAs, statements: list[Statement]
) -> None:
    kinds = ", ".join(f"'{status}'" for status in Status)
    fill(table, f"(ARRAY[{kinds}])[n % 5 + 1]", owner=user.id, many=MANY // 2)
    # The newest jobs are another's.
    fill(table, "'succeeded'", owner=new_user(table, "eve@example.org").id)
    table.execute(text("UPDATE jobs SET published_at = now() WHERE status = 'queued' AND random() < 0.5"))
    table.commit()
    headers = sign_in()

    listed = client.get(f"{API}/jobs?limit=7", headers=headers).json()
    listed += client.get(f"{API}/jobs?limit=7&before={listed[-1]['id']}", headers=headers).json()
    rows = [rows_read(statement) for statement in statements if "LIMIT" in statement[0]]

    assert [int(job["id"][-12:]) for job in listed] == list(range(MANY // 2, MANY // 2 - 14, -1))
    assert max(rows) < 200


def test_a_snapshot_reads_few_rows_and_has_what_runs_what_is_new_and_what_ended_meanwhile(
    client: TestClient, user: User, table: Session, sign_in: SignInAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(
        table, f"CASE WHEN n = 1 THEN 'running' WHEN n < {MANY // 2} THEN 'queued' ELSE 'succeeded' END", owner=user.id
    )
    # Of the oldest that have ended, one did so a while ago, and all others a long time ago.
    for jobs, ago in (("%", "1500 minutes"), (f"%{5000:012}", "10 minutes")):
        table.execute(text(ENDED_AGO), {"ago": ago, "id": jobs})
    table.commit()
    table.execute(text("ANALYZE jobs"))
    table.commit()
    since = int(table.execute(text("SELECT extract(epoch FROM now() - interval '20 min') * 1000000")).scalar_one())
    asked: list[Statement] = []
    read = Reader.read

    async def remember(self: Reader, query: Any, values: Mapping[str, Any], *began: float) -> Any:
        # Not the rows of the jobs that it found, which are read by their ids.
        if "FROM jobs" in query and "owner" in values:
            asked.append((query, values))
        return await read(self, query, values, *began)

    monkeypatch.setattr(Reader, "read", remember)
    monkeypatch.setattr(stream, "HEARTBEAT", 0.05)
    seen = []
    for known in (0, since):
        ticket = client.post(f"{API}/jobs/events/ticket", headers=sign_in()).json()["ticket"]
        with client.websocket_connect(f"{API}/jobs/events?ticket={ticket}&last_event_id={known}") as socket:
            seen.append({int(job["id"][-12:]) for job in socket.receive_json()["data"]})
            # Before it perhaps a late notice of the changes above.
            while socket.receive_json()["event"] != "heartbeat":
                pass

    assert len(asked) >= 4
    assert max(rows_read(statement) for statement in asked) < 5000
    newest = {1, *range(MANY, MANY - 20, -1)}
    waiting = set(range(4999, 4999 - 200, -1))
    assert seen == [newest | waiting, newest | waiting | {5000}]


def deletions(session: Session) -> list[int]:
    return list(session.scalars(text("SELECT rows FROM deletions WHERE rows > 0")))


@pytest.fixture
def noted(session: Session) -> Iterator[None]:
    """How many jobs each transaction deletes."""
    with engine().begin() as connection:
        connection.exec_driver_sql(
            """
            CREATE TABLE deletions (transaction xid8 PRIMARY KEY, rows bigint NOT NULL);
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                INSERT INTO deletions SELECT pg_current_xact_id(), count(*) FROM gone
                ON CONFLICT (transaction) DO UPDATE SET rows = deletions.rows + excluded.rows;
                RETURN NULL;
            END $$;
            CREATE TRIGGER note AFTER DELETE ON jobs REFERENCING OLD TABLE AS gone
            FOR EACH STATEMENT EXECUTE FUNCTION note()
            """
        )
    yield
    session.rollback()
    with engine().begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER note ON jobs; DROP FUNCTION note; DROP TABLE deletions")


@pytest.mark.usefixtures("noted")
def test_housekeeping_deletes_a_few_rows_a_transaction_and_all_of_them(table: Session, run_job: RunJob) -> None:
    fill(table, "CASE WHEN n % 1000 = 0 THEN 'queued' ELSE 'succeeded' END")
    table.execute(text("UPDATE jobs SET finished_at = finished_at - interval '10 days'"))
    table.commit()
    job = enqueue(table, housekeeping)
    table.commit()

    run_job(job)

    # Those of the last 20 days stay, and what waits.
    left = table.execute(text("SELECT count(*) FILTER (WHERE finished_at IS NOT NULL), count(*) FROM jobs")).one()
    assert job.status == Status.SUCCEEDED
    assert abs(left[0] - MANY * 2 // 3) < 20
    assert left[1] - left[0] == MANY // 1000 + 1 - 1
    assert max(deletions(table)) <= 1000
    assert sum(deletions(table)) == job.result["jobs"] == MANY + 1 - left[1]


@pytest.mark.usefixtures("noted")
def test_purging_deletes_a_few_rows_a_transaction(table: Session) -> None:
    fill(table, "'cancelled'", many=2500)

    assert run("jobs", "purge", "--days", "0") == (0, "2500 jobs deleted.\n")
    assert deletions(table) == [1000, 1000, 500]


def test_what_another_transaction_holds_is_left_to_the_next_purge(table: Session) -> None:
    fill(table, "'failed'", many=10)
    # Nobody waits for it for ever, should somebody wait for it.
    table.execute(text("SET LOCAL idle_in_transaction_session_timeout = '5s'"))
    held = table.scalars(select(Job.id).limit(1).with_for_update()).one()

    first = run("jobs", "purge", "--days", "0")
    left = table.scalars(select(Job.id)).all()
    table.rollback()

    assert first == (0, "9 jobs deleted.\n")
    assert left == [held]
    assert run("jobs", "purge", "--days", "0") == (0, "1 jobs deleted.\n")
