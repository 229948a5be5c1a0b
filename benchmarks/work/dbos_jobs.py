"""DBOS with a workflow on a queue, whose only step is a transaction of its data source.

Jobs are enqueued in the client's own transaction. The step is recorded in the transaction of its effect: a worker that dies
repeats nothing.
"""

import os
import sys
from functools import cache
from threading import Event
from time import time

from dbos import DBOS, DBOSClient, DBOSConfig, SQLAlchemyDatasource
from sqlalchemy import Engine, create_engine

from effect import INSERT, effect

__all__ = ["submit"]

URL = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
NAME = "benchmark"
# Workers poll: 0.02 s lost no throughput against 0.05 and 0.1, and its default is a second. 30 at once of each process did a
# little better than 4 and 10; with fewer the pause between polls is the limit.
POLLING = 0.02
AT_ONCE = 30


def main() -> None:
    # Processes are told apart by their executors' ids, and work on jobs of one version of the application.
    config = DBOSConfig(name=NAME, system_database_url=URL, executor_id=str(os.getpid()), application_version=NAME)
    DBOS(config=config)
    source = SQLAlchemyDatasource.create(URL)

    @source.transaction(isolation_level="READ COMMITTED")
    def write(number: int) -> None:
        source.sql_session().connection().exec_driver_sql(INSERT, effect(number))

    @DBOS.workflow(name="insert")
    def insert(number: int) -> None:
        write(number)

    DBOS.launch()
    DBOS.register_queue("default", worker_concurrency=AT_ONCE, polling_interval_sec=POLLING)
    print("dbos listens", flush=True)
    if "migrate" not in sys.argv:
        Event().wait()
    DBOS.destroy()


def submit(number: int) -> float:
    with _engine().begin() as connection:
        options = {"workflow_name": "insert", "queue_name": "default", "app_version": NAME}
        _client().enqueue_in_transaction(connection, options, number)
        return time()


@cache
def _engine() -> Engine:
    return create_engine(URL)


@cache
def _client() -> DBOSClient:
    return DBOSClient(system_database_url=URL)


if __name__ == "__main__":
    main()
