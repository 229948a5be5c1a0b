"""What every connection asks of PostgreSQL, whatever is the default of the server, the database or the role."""

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection

from groundwork.settings import get_settings

__all__ = ["SERVER_SETTINGS", "with_request_settings", "with_server_settings"]

# Commits wait for the disk: with `off` a crash of the server takes jobs that were accepted in its last moments. The
# other values wait for the disk of this server too. And the server ends the session of a host that has vanished after
# some 20 seconds, not after two hours, with the locks that it held. (A Unix socket ignores these settings.)
SERVER_SETTINGS = """
    SELECT set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), false),
    set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false),
    set_config('tcp_keepalives_count', '2', false), set_config('tcp_user_timeout', '20000', false)
"""
# The same behind a pooler in transaction mode, whose sessions are shared: a setting has to end with its transaction. The
# rest is about the connection, which is the pooler's.
OF_A_TRANSACTION = """
    SELECT set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), true)
"""


def with_server_settings(engine: Engine) -> Engine:
    """Apply SERVER_SETTINGS to each new connection of the engine. Returns the engine."""
    event.listen(engine, "connect", _apply)
    return engine


def with_request_settings(engine: Engine) -> Engine:
    """The same for the engine of web requests, whose sessions may be a pooler's. Returns the engine."""
    if not get_settings().direct_database_url:
        return with_server_settings(engine)
    event.listen(engine, "begin", _apply_once)
    return engine


def _apply_once(connection: Connection) -> None:
    connection.exec_driver_sql(OF_A_TRANSACTION)


def _apply(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(SERVER_SETTINGS)
    cursor.close()
    connection.commit()
