"""The command line: `uv run app --help`."""

import asyncio
import os
import signal
from enum import StrEnum
from socket import gethostname
from threading import Event
from typing import Annotated

import typer
from alembic import command
from alembic.migration import MigrationContext
from kombu.exceptions import OperationalError as BrokerError
from pydantic import ValidationError
from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from app.audit.record import Kind, record
from app.db import engine, new_session
from app.deliveries.commands import mail
from app.doctor import Finding, alembic_config, examine, migrations
from app.jobs.commands import jobs
from app.jobs.movement import MOVEMENT, complaint
from app.jobs.relay import relay as run_relay
from app.log import configure_logging
from app.security import hash_password
from app.settings import get_settings
from app.template import template
from app.terminal import plain_errors, plain_refusals, stop
from app.users.models import User
from app.users.schemas import NewUser
from app.users.strength import easily_guessed
from app.worker import celery

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
cli.add_typer(jobs, name="jobs")
cli.add_typer(mail, name="mail")
cli.add_typer(template, name="template")


@cli.command()
def dev(host: str = "127.0.0.1", port: Annotated[int, typer.Option(min=1, max=65535)] = 8000) -> None:
    """Run everything in this terminal, with nothing installed; start again on change."""
    try:
        from app.dev import alone, development_environment, serve
    except ModuleNotFoundError as error:
        raise stop(f"{error.name} is missing: `app dev` needs the dev dependencies; run `uv sync`.") from None
    with plain_refusals(), alone(), development_environment(host, port) as values:
        os.environ |= values
        migrate()
        # No reason to refuse: a missing one may be what is about to be written.
        if not (finding := migrations()).good:
            _tell(finding)
        asyncio.run(serve(host, port, os.environ))


@cli.command()
def doctor() -> None:
    """Tell what is configured, what answers, what is missing, and the remedy."""
    findings = []
    for finding in examine():
        findings.append(finding)
        _tell(finding)
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def _tell(finding: Finding) -> None:
    mark = typer.style("ok", fg="green") if finding.good else typer.style("!!", fg="red")
    typer.echo(f"{mark}  {finding.what:<10} {finding.says}" + (f"  ->  {finding.remedy}" if finding.remedy else ""))


@cli.command()
def migrate() -> None:
    """Bring the database's tables up to date."""
    with plain_refusals():
        command.upgrade(alembic_config(), "heads")
        with engine().connect() as connection:
            revisions = MigrationContext.configure(connection).get_current_heads()
    typer.echo(f"The tables are at {', '.join(sorted(revisions))}, the newest.")


@cli.command()
def create_admin(
    email: Annotated[str, typer.Option(prompt=True)],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
) -> None:
    """Add a verified user whose `admin` is true."""
    try:
        new = NewUser.model_validate({"email": email, "password": password})
    except ValidationError as error:
        reasons = [f"{e['loc'][0]}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        raise stop("; ".join(reasons)) from None
    with plain_errors():
        if weakness := easily_guessed(password, new.email):
            raise stop(f"{weakness.removesuffix('.')}. Choose another password.")
    user = User(id=uuid7(), email=new.email, password_hash=hash_password(password), verified_at=func.now())
    user.admin = True
    with plain_errors(), new_session() as session:
        session.add(user)
        record(session, Kind.ADMIN_MADE, user.id)
        try:
            session.commit()
        except IntegrityError:
            raise stop(f"{new.email} is registered already; choose another address.") from None
    typer.echo(f"{new.email} is an admin now.")


@cli.command()
def relay() -> None:
    """Publish due jobs until SIGTERM or Ctrl-C; any number of relays may run."""
    with plain_errors():
        if get_settings().in_memory_broker:
            raise stop("With BROKER_URL=memory:// the relay is a thread of the worker; start only the worker.")
        configure_logging()
    ending = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    run_relay(ending)


class Part(StrEnum):
    WORKER = "worker"
    RELAY = "relay"
    JOBS = "jobs"


@cli.command()
def health(
    part: Part,
    name: Annotated[str, typer.Option(help="Of the worker; the default is that of this machine or container.")] = "",
) -> None:
    """Exit code 1 when this machine's worker does not answer, no relay looks, or jobs do not move."""
    # The worker of memory:// takes no questions; its relay shows whether it lives.
    if part is Part.WORKER and not get_settings().in_memory_broker:
        asked = name or f"celery@{gethostname()}"
        try:
            if not celery.control.inspect([asked], timeout=5, limit=1).ping():
                raise stop(f"The worker {asked} does not answer.")
        except BrokerError as error:
            raise stop(f"The broker does not answer: {error}") from None
    else:
        with plain_errors(), engine().connect() as connection:
            relay_seconds, waiting_seconds = connection.execute(MOVEMENT).one()
        if says := complaint(relay_seconds, waiting_seconds if part is Part.JOBS else 0):
            raise stop(says)


# Your own commands go below this line.


if __name__ == "__main__":
    cli()
