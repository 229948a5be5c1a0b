"""The engine and the sessions of everything that is not a web request: workers, relay, commands, tests, scripts."""

from functools import lru_cache

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from groundwork.data.server_settings import with_server_settings
from groundwork.data.tables import import_models
from groundwork.settings import CONNECT_ARGS, get_settings

__all__ = ["engine", "new_session"]


@lru_cache
def engine() -> Engine:
    """The synchronous engine of this process, with the tables of all features; its pool grows with the threads that use it.

    For workers, commands, scripts and tests; web requests have `SessionDep`. Raises SettingsInvalid.
    """
    import_models()
    # hide_parameters, here and for web requests: addresses and hashes stay out of logged errors.
    plain = create_engine(
        get_settings().database_url,
        pool_pre_ping=True,
        # A worker has a connection for each job that runs and one for what is said of them: Celery bounds how many.
        max_overflow=-1,
        hide_parameters=True,
        connect_args=CONNECT_ARGS,
    )
    return with_server_settings(plain)


def new_session() -> Session:
    """A session of `engine()`. Use it in a `with` statement; its objects stay readable after the commit."""
    return Session(engine(), expire_on_commit=False)
