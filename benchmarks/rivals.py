"""Other job queues for Python, each as its documentation recommends it, with two worker processes.

Of several values for the jobs at once the best is used: comments here and in the modules say which were tried.
"""

from contenders import PROCESSES, Contender, Package, Program

__all__ = ["RIVALS"]


def _python(module: str, ready: str) -> Program:
    return Program(("python", "-m", module), ready)


RIVALS = (
    Contender(
        "procrastinate",
        "peer",
        # Several at a time, as suits coroutines: 4 did as well as 8 and 16, and better than its default of 1.
        (Program(("procrastinate", "-v", "-a", "peer.app", "worker", "-c", "4"), "Starting worker"),) * PROCESSES,
        "procrastinate_jobs",
        "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')",
        Package(
            "procrastinate",
            ("procrastinate>=3.10,<4", "psycopg[binary,pool]"),
            (("procrastinate", "-a", "peer.app", "schema"),),
        ),
    ),
    Contender(
        "oban",
        "oban_jobs",
        # 20 did as well as 4 and 10 or better.
        (Program(("oban", "start", "--queues", "default:20", "--cron-modules", "oban_jobs"), "Oban started"),)
        * PROCESSES,
        "oban_jobs",
        "SELECT count(*) FROM oban_jobs WHERE state NOT IN ('completed', 'discarded', 'cancelled')",
        Package("oban", ("oban>=0.7", "psycopg[binary,pool]"), (("oban", "install"),), "OBAN_DSN", ">=3.12"),
    ),
    Contender(
        "pgqueuer",
        "pgqueuer_jobs",
        (_python("pgqueuer_jobs", "pgqueuer listens"),) * PROCESSES,
        "pgqueuer, pgqueuer_log",
        # It deletes what is finished.
        "SELECT count(*) FROM pgqueuer",
        Package(
            "pgqueuer",
            ("pgqueuer[asyncpg]>=1.6,<2", "psycopg[binary]"),
            # The second is on its checklist for performance.
            (("pgq", "install"), ("pgq", "autovac")),
            "PGDSN",
        ),
    ),
    Contender(
        "awa-pg",
        "awa_jobs",
        (_python("awa_jobs", "awa listens"),) * PROCESSES,
        # Its rings of tables rotate by themselves.
        "",
        "SELECT count(*) FROM awa.jobs WHERE state NOT IN ('completed', 'failed', 'cancelled')",
        Package(
            "awa-pg",
            ("awa-pg>=0.6.9,<1", "psycopg[binary,pool]"),
            (("python", "-m", "awa_jobs", "migrate"),),
        ),
    ),
    Contender(
        "dbos",
        "dbos_jobs",
        (_python("dbos_jobs", "dbos listens"),) * PROCESSES,
        "dbos.workflow_status",
        "SELECT count(*) FROM dbos.workflow_status WHERE status IN ('ENQUEUED', 'PENDING')",
        Package("dbos", ("dbos>=3.4,<4",), (("python", "-m", "dbos_jobs", "migrate"),)),
    ),
)
