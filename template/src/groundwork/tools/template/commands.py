"""`app template`: what the template that made this service has brought since, and how to merge it."""

import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from groundwork.tools.template.choice import chosen, committed_answers
from groundwork.tools.template.git import Refused, shown
from groundwork.tools.template.merge import Merge, merge
from groundwork.tools.template.releases import clone, entries, meant, name_of, releases, version_of
from groundwork.tools.template.render import Answers
from groundwork.tools.template.report import in_doubt, report
from groundwork.tools.template.service import Service, found_service
from groundwork.tools.template.write import write
from groundwork.tools.terminal import stop

__all__ = ["CHECKS", "template"]

# What CI runs.
CHECKS = (
    "uv sync",
    "uv run ruff check",
    "uv run ruff format --check",
    "uv run mypy",
    "uv run lint-imports",
    "uv run pytest",
)
template = typer.Typer(no_args_is_help=True, help="Keep up with the template that made this service.")


@template.command()
def status() -> None:
    """Show the version, whether there is a newer release, and what that means for this service."""
    with refused_plainly():
        answers = committed_answers(Path.cwd())
        source, here = answers["_src_path"], answers["_commit"]
        typer.echo(f"This service is at {here} of {shown(source)}.")
        newest = max(releases(source), default=(0, 0, 0))
        if newest <= version_of(here):
            typer.echo("There is no newer release.")
            return
        typer.echo(f"{name_of(newest)} is the newest release; `uv run app template update` merges it.\n")
        with TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            clone(source, name_of(newest), Path(scratch, "template"), "--filter=blob:none")
            _show_notes(Path(scratch, "template"), here, answers)


@template.command()
def update(
    data: Annotated[list[str] | None, typer.Option(help="Another answer, such as broker=rabbitmq.")] = None,
    to: Annotated[str | None, typer.Option(help="A release, in place of the newest one.")] = None,
    checks: Annotated[bool, typer.Option(help="Run all checks afterwards.")] = True,
) -> None:
    """Merge the newest release into this service, then run all checks."""
    with refused_plainly(), TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        service = found_service(Path.cwd())
        release = chosen(service, data or [], to, Path(scratch))
        if release is None:
            typer.echo("There is no newer release.")
            return
        _show_notes(release.checkout, release.before["_commit"], release.after)
        merged = merge(service, release, Path(scratch))
        write(service, merged, Path(scratch))
    _finish(service, merged, CHECKS if checks else ())


@contextmanager
def refused_plainly() -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        raise stop(str(refused)) from None


def _show_notes(checkout: Path, here: str, answers: Answers) -> None:
    for heading, text in entries(checkout):
        if version_of(here) < version_of(heading):
            typer.echo(f"## {heading}\n\n{meant(text, answers)}\n")


def _finish(service: Service, merged: Merge, checks: Sequence[str]) -> None:
    """Say what happened, then run the checks, or say what to do first."""
    for paragraph in report(service, merged):
        typer.echo(paragraph)
    take_back = "`git restore --source=HEAD --staged --worktree .` takes the update back"
    if any(in_doubt(merged).values()):
        first = ""
        if "pyproject.toml" in merged.decided.in_doubt:
            first = "Begin with pyproject.toml, in an editor: until it is right, `uv run` does not start.\n"
        raise stop(
            f"Merged to {merged.version}, with files in doubt. Resolve each and `git add` it, or `git rm` a dropped one;"
            f" docs/guide.md, Updates, tells how.\n{first}Then: {' && '.join(CHECKS)}\n{take_back}."
        )
    for check in checks:
        typer.secho(check, bold=True)
        # `uv run` tells where it is.
        command = [os.environ.get("UV", word) if word == "uv" else word for word in shlex.split(check)]
        if subprocess.run(command).returncode != 0:
            raise stop(f"The update is merged, but `{check}` fails; put it right before you commit.")
    checked = "all checks pass" if checks else f"now run: {' && '.join(CHECKS)}"
    typer.echo(f"Updated to {merged.version}; {checked}. Read `git diff HEAD`, commit, `uv run app migrate`.")
