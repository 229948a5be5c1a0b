"""PostgreSQL: the base of all tables, the sessions of web requests, and those of everything else."""

from groundwork.data.computing import COMPUTES
from groundwork.data.connections import engine, new_session
from groundwork.data.request_session import SessionDep, Sessions, open_sessions
from groundwork.data.tables import AnySession, Base, import_models, primary_key, text_enum

__all__ = [
    "COMPUTES",
    "AnySession",
    "Base",
    "SessionDep",
    "Sessions",
    "engine",
    "import_models",
    "new_session",
    "open_sessions",
    "primary_key",
    "text_enum",
]
