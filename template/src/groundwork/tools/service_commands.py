"""`app dev`, `app doctor` and `app migrate`."""

import asyncio
import os
from typing import Annotated

import typer
from alembic import command
from alembic.migration import MigrationContext

from groundwork.data.connections import engine
from groundwork.tools.correctable import plain_refusals
from groundwork.tools.doctor import Finding, alembic_config, examine, migrations
from groundwork.tools.revisions import heads, refuse_unknown
from groundwork.tools.terminal import stop

__all__ = ["dev", "doctor", "migrate"]


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
