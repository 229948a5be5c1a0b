"""`app template`: what the template that made this service has brought since, and how to merge it."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
import yaml

from app.terminal import stop

__all__ = ["template"]

Version = tuple[int, int, int]
ANSWERS = ".copier-answers.yml"
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
    answers = _answers()
    source, here = answers["_src_path"], answers["_commit"]
    typer.echo(f"This service is at {here} of {source}.")
    newest = max(_releases(source), default=(0, 0, 0))
    if newest <= _version(here):
        typer.echo("There is no newer release.")
        return
    typer.echo(f"{_name(newest)} is the newest release; `uv run app template update` merges it.\n")
    for heading, text in _entries(_changelog(source, newest)):
        if _version(here) < _version(heading) <= newest:
            typer.echo(f"## {heading}\n\n{_meant(text, answers)}\n")


@template.command()
def update(
    data: Annotated[list[str] | None, typer.Option(help="Another answer, such as broker=rabbitmq.")] = None,
    trust: Annotated[bool, typer.Option(help="Run what a release brings that renames files; read it first.")] = False,
) -> None:
    """Merge the newest release into this service, then run all checks."""
    source = _answers()["_src_path"]
    if _git("rev-parse", "--git-dir").returncode != 0:
        raise stop("This folder is not in git; first: git init && git add --all && git commit --message Start")
    if _git("status", "--porcelain").stdout:
        raise stop("There are changes that are not committed; commit them first, or `git stash` them.")
    # Asked before anything changes.
    _releases(source)
    answers = [word for answer in data or [] for word in ("--data", answer)]
    copier = ["copier"] if which("copier") else [os.environ.get("UV", "uv"), "tool", "run", "copier"]
    words = [*copier, "update", "--defaults", *(["--trust"] if trust else []), *answers]
    if subprocess.run(words).returncode != 0:
        raise stop("Copier has not finished, and says why above; `git reset --hard` takes back what it did.")
    if in_doubt := _git("diff", "--name-only", "--diff-filter=U").stdout:
        raise stop(
            f"You and the template changed the same lines of:\n{in_doubt}What to do is in docs/guide.md, Updates."
        )
    for check in CHECKS:
        typer.secho(check, bold=True)
        if subprocess.run(shlex.split(check)).returncode != 0:
            raise stop(f"The update is merged, but `{check}` fails; put it right before you commit.")
    typer.echo(f"Updated to {_answers()['_commit']}; all checks pass. Read `git diff`, commit, `uv run app migrate`.")


def _answers() -> dict[str, str]:
    try:
        answers = {name: str(answer) for name, answer in yaml.safe_load(Path(ANSWERS).read_text("utf-8")).items()}
        return answers | {name: answers[name] for name in ("_commit", "_src_path")}
    except FileNotFoundError:
        raise stop(f"There is no {ANSWERS} here; work in the folder of the service, with that file in git.") from None
    except (yaml.YAMLError, AttributeError, KeyError):
        raise stop(f"{ANSWERS} is damaged; `git checkout {ANSWERS}` brings it back.") from None


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    # Nobody is there to answer when a server asks for a password.
    quiet = os.environ | {"GIT_TERMINAL_PROMPT": "0"}
    return subprocess.run(["git", *words], capture_output=True, text=True, env=quiet)


def _releases(source: str) -> Iterator[Version]:
    listed = _git("ls-remote", "--tags", "--refs", _url(source))
    if listed.returncode != 0:
        if ":" not in source and not Path(source).is_absolute():
            raise stop(
                f"`_src_path: {source}` in {ANSWERS} is a relative path that finds no template from here;"
                " write the template's URL or absolute path there, and commit."
            )
        said = listed.stderr.strip().splitlines() or ["git does not say why"]
        why = next((line for line in said if line.startswith("fatal: ")), said[-1])
        raise stop(f"{source} does not answer: {why.removeprefix('fatal: ').rstrip('.')}.")
    names = [line.rpartition("/")[2] for line in listed.stdout.splitlines()]
    # A release candidate is not offered, as Copier would not take it.
    return (_version(name) for name in names if re.fullmatch(r"v?\d+\.\d+\.\d+", name))


def _changelog(source: str, version: Version) -> str:
    with TemporaryDirectory() as folder:
        _git("clone", "--quiet", "--depth=1", "--no-checkout", f"--branch={_name(version)}", _url(source), folder)
        return _git("-C", folder, "show", "HEAD:CHANGELOG.md").stdout


def _url(source: str) -> str:
    for short, site in {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}.items():
        if source.startswith(short):
            return site + source.removeprefix(short)
    return source.removeprefix("git+")


def _version(name: str) -> Version:
    """Of `0.2.0`, and of `0.2.0-3-gabc`, which is three commits later; what names no release comes before all of them."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", name)
    return (int(found[1]), int(found[2]), int(found[3])) if found else (0, 0, 0)


def _name(version: Version) -> str:
    return ".".join(map(str, version))


def _entries(changelog: str) -> Iterator[tuple[str, str]]:
    _, *parts = re.split(r"^## (.+)$", changelog, flags=re.MULTILINE)
    return zip(parts[::2], parts[1::2], strict=True)


def _meant(text: str, answers: dict[str, str]) -> str:
    """Without the items that begin with other answers, as in "- `broker=rabbitmq`: ..."."""

    def applies(item: str) -> bool:
        named = re.match(r"- `([\w=|, ]+)`: ", item)
        conditions = [part.strip().split("=") for part in named[1].split(",")] if named else []
        return all(answers.get(name) in choices.split("|") for name, choices in conditions)

    return "".join(item for item in re.split(r"^(?=- |\n)", text, flags=re.MULTILINE) if applies(item)).strip()
