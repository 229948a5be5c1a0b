"""`app doctor`: what is configured, what answers, what is missing, and the remedy."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.db import engine
from app.jobs.movement import MOVEMENT, complaint
from app.mail import provider
from app.mail.failures import ProviderMisconfigured, TemporaryFailure
from app.settings import Settings, SettingsInvalid, get_settings
from app.worker import celery

__all__ = ["Finding", "examine"]


@dataclass(frozen=True)
class Finding:
    what: str
    good: bool
    says: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """One finding after the other; those that need a database are left out when none answers."""
    try:
        settings = get_settings()
    except SettingsInvalid as error:
        for sentence in str(error).splitlines():
            yield Finding("settings", False, sentence)
        return
    yield Finding("settings", True, f"{settings.environment}, {settings.project_name}, {settings.public_url}")
    database = _database(settings)
    yield database
    if database.good:
        yield _migrations()
        yield _jobs()
    yield _broker(settings)
    yield _mail(settings)


def _database(settings: Settings) -> Finding:
    place = _without_password(settings.database_url)
    try:
        with engine().connect() as connection:
            version = connection.scalar(text("SHOW server_version"))
    except SQLAlchemyError:
        return Finding("database", False, f"{place} does not answer", "start it, or correct DATABASE_URL")
    return Finding("database", True, f"PostgreSQL {version} at {place}")


def _migrations() -> Finding:
    # After an update there may be two: the template's newest and the service's own.
    newest = ", ".join(sorted(ScriptDirectory.from_config(Config("alembic.ini")).get_heads()))
    with engine().connect() as connection:
        current = ", ".join(sorted(MigrationContext.configure(connection).get_current_heads()))
    if current == newest:
        return Finding("migrations", True, f"at {newest}, the newest")
    return Finding("migrations", False, f"at {current or 'nothing'}, the newest is {newest}", "uv run app migrate")


def _jobs() -> Finding:
    try:
        with engine().connect() as connection:
            relay_seconds, waiting_seconds = connection.execute(MOVEMENT).one()
    except SQLAlchemyError:
        return Finding("jobs", False, "the tables are missing", "uv run app migrate")
    if says := complaint(relay_seconds, waiting_seconds):
        return Finding("jobs", False, says)
    return Finding("jobs", True, "a relay runs, and no job waits for long")


def _broker(settings: Settings) -> Finding:
    place = _without_password(settings.broker_url)
    if settings.in_memory_broker:
        return Finding("broker", True, "none: the relay feeds the worker in its own process")
    try:
        with celery.connection_for_write(settings.broker_url, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=5)
    except Exception as error:
        # Each transport has its own family of errors; all of them mean the same here.
        return Finding("broker", False, f"{place} does not answer: {error}", "start it, or correct BROKER_URL")
    return Finding("broker", True, f"{place} answers")


def _mail(settings: Settings) -> Finding:
    sender = f"from {settings.mail_from}"
    if settings.mail_dry_run:
        return Finding("mail", True, f"dry run: kept in {settings.mail_outbox}, {sender}")
    try:
        return Finding("mail", True, f"{provider.check()}, {sender}")
    except ProviderMisconfigured as error:
        return Finding("mail", False, str(error), "see the settings in docs/guide.md")
    except TemporaryFailure as error:
        return Finding("mail", False, str(error), "try again later")


def _without_password(url: str) -> str:
    scheme, _, rest = unquote(url).partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
