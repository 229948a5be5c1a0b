"""The commands of every service: `app dev`, `doctor`, `migrate`, `relay`, `health`, `jobs`, `mail`, `template`."""

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

from groundwork.configuration import configuration
from groundwork.data import engine
from groundwork.jobs.movement import MOVEMENT, complaint
from groundwork.jobs.relay import relay as run_relay
from groundwork.log import configure_logging
from groundwork.settings import get_settings
from groundwork.tools.correctable import plain_errors, plain_refusals
from groundwork.tools.doctor import Finding, alembic_config, examine, migrations
from groundwork.tools.job_commands import jobs
from groundwork.tools.mail_commands import mail
from groundwork.tools.revisions import heads, refuse_unknown
from groundwork.tools.template import template
from groundwork.tools.terminal import stop

__all__ = ["cli"]

# Seconds that a look or a message of the relay may take; brokers and databases that are away are given up sooner.
HUNG_AFTER = 30.0

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
cli.add_typer(jobs, name="jobs")
cli.add_typer(mail, name="mail")
cli.add_typer(template, name="template")


@cli.command()
def dev(host: str = "127.0.0.1", port: Annotated[int, typer.Option(min=1, max=65535, envvar="PORT")] = 8000) -> None:
    """Run everything in this terminal, with nothing installed; start again on change."""
    try:
        from groundwork.tools.dev import serve
        from groundwork.tools.dev_environment import alone, development_environment
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
    with plain_refusals():
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
        heads(alembic_config())
        with engine().connect() as connection:
            refuse_unknown(alembic_config(), MigrationContext.configure(connection).get_current_heads())
        command.upgrade(alembic_config(), "heads")
        with engine().connect() as connection:
            revisions = MigrationContext.configure(connection).get_current_heads()
    typer.echo(f"The tables are at {', '.join(sorted(revisions))}, the newest.")


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
    run_relay(configuration().celery, configuration().schedule, ending, hung_after=HUNG_AFTER)


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
            if not configuration().celery.control.inspect([asked], timeout=5, limit=1).ping():
                raise stop(f"The worker {asked} does not answer.")
        except BrokerError as error:
            raise stop(f"The broker does not answer: {error}") from None
    else:
        with plain_errors(), engine().connect() as connection:
            relay_seconds, waiting_seconds = connection.execute(MOVEMENT).one()
        if says := complaint(relay_seconds, waiting_seconds if part is Part.JOBS else 0):
            raise stop(says)
