"""What every connection asks of PostgreSQL, whatever is the default of the server, the database or the role."""

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection

__all__ = ["SERVER_SETTINGS", "with_server_settings"]

# Commits wait for the disk: with `off` a crash of the server takes jobs that were accepted in its last moments. The
# other values wait for the disk of this server too. And the server ends the session of a host that has vanished after
# some 20 seconds, not after two hours, with the locks that it held. (A Unix socket ignores these settings.)
SERVER_SETTINGS = """
    SELECT set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), false),
    set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false),
    set_config('tcp_keepalives_count', '2', false), set_config('tcp_user_timeout', '20000', false)
"""


def with_server_settings(engine: Engine) -> Engine:
    """Apply SERVER_SETTINGS to each new connection of the engine. Returns the engine."""
    event.listen(engine, "connect", _apply)
    return engine


def _apply(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(SERVER_SETTINGS)
    cursor.close()
    connection.commit()
