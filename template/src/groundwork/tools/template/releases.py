"""The releases of the template: their tags, their notes, their questions, and the tables of what they move."""

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from groundwork.tools.template.git import Refused, git, run, said
from groundwork.tools.template.render import ANSWERS, Answers
from groundwork.tools.template.table import Table

__all__ = [
    "clone",
    "entries",
    "given",
    "kept_by_owner",
    "meant",
    "name_of",
    "releases",
    "settings",
    "tables",
    "version_of",
]

Version = tuple[int, int, int]
TABLES = "hooks/migrations"
# How a template leaves a file to its owner that it has rendered once.
ON_UPDATE = re.compile(r"\{%-?\s*if _copier_operation == ['\"]update['\"]\s*-?%\}(.+?)\{%-?\s*endif\s*-?%\}")


def releases(source: str) -> list[Version]:
    """Return the versions that have a tag; a release candidate is not offered, as Copier would not take it."""
    listed = run("ls-remote", "--tags", "--refs", url(source), cwd=Path.cwd())
    if listed.returncode != 0:
        raise Refused(_no_answer(source, listed))
    names = [line.rpartition("/")[2] for line in listed.stdout.decode(errors="replace").splitlines()]
    return [version_of(name) for name in names if re.fullmatch(r"v?\d+\.\d+\.\d+", name)]


def _no_answer(source: str, listed: subprocess.CompletedProcess[bytes]) -> str:
    if ":" not in source and not Path(source).is_absolute():
        return (
            f"`_src_path: {source}` in {ANSWERS} is a relative path that finds no template from here;"
            " write the template's URL or absolute path there, and commit."
        )
    return f"{source} does not answer: {said(listed)}."


def url(source: str) -> str:
    for short, site in {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}.items():
        if source.startswith(short):
            return site + source.removeprefix(short)
    return source.removeprefix("git+")


def version_of(name: str) -> Version:
    """Return the version of `0.2.0`, and of `0.2.0-3-gabc`, three commits later; any other name comes before all releases."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", name)
    return (int(found[1]), int(found[2]), int(found[3])) if found else (0, 0, 0)


def name_of(version: Version) -> str:
    return ".".join(map(str, version))


def clone(source: str, release: str, folder: Path, *options: str) -> str:
    """Check out a release of the template, with its history; return the commit."""
    git("clone", "--quiet", "--no-checkout", "--template=", *options, "--", url(source), str(folder), cwd=Path.cwd())
    commit = commit_of(release, folder)
    if not commit:
        raise Refused(f"{source} has no release {release}; `uv run app template status` names the newest.")
    git("checkout", "--quiet", "--detach", commit, cwd=folder)
    return commit


def commit_of(release: str, clone: Path) -> str:
    """Return the commit of a release or of any other name that git knows, and nothing for another one."""
    refs = [f"refs/tags/{release}", f"refs/tags/v{release}", f"origin/{release}", release]
    found = (run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", cwd=clone).stdout.decode() for ref in refs)
    return next(filter(None, found), "").strip()


def settings(checkout: Path) -> dict[str, Any]:
    """Return the questions and the settings of a release."""
    read = yaml.safe_load((checkout / "copier.yml").read_text("utf-8"))
    return dict(read)


def kept_by_owner(configured: Mapping[str, Any]) -> list[str]:
    """Return the patterns of files that are the owner's from the first day."""
    on_update = [ON_UPDATE.search(str(pattern)) for pattern in configured.get("_exclude", [])]
    patterns = [*configured.get("_skip_if_exists", []), *(found[1] for found in on_update if found)]
    return [pattern for pattern in patterns if "{" not in pattern]


def given(words: Iterable[str], configured: Mapping[str, Any]) -> Answers:
    """Read `name=value` for questions that the template asks."""
    questions = {n: q for n, q in configured.items() if not n.startswith("_") and q.get("when", True) is not False}
    answers = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise Refused(f"`--data {word}` has no value; write it as {name}=VALUE.")
        if name not in questions:
            raise Refused(f"`--data {word}`: the template asks no `{name}`; it asks {', '.join(questions)}.")
        choices = questions[name].get("choices")
        offered = list(choices.values()) if isinstance(choices, dict) else choices
        if isinstance(offered, list) and value not in map(str, offered):
            raise Refused(f"`--data {word}`: `{value}` is not offered; choose from {', '.join(map(str, offered))}.")
        answers[name] = value
    return answers


def tables(checkout: Path, since: str) -> list[Table]:
    """Return what the releases after that one move, in their order."""
    files = sorted((checkout / TABLES).glob("*.toml"), key=lambda file: version_of(file.stem))
    later = [file for file in files if version_of(file.stem) > version_of(since)]
    return [Table.parse(file.read_text("utf-8"), f"{TABLES}/{file.name}") for file in later]


def entries(checkout: Path) -> Iterator[tuple[str, str]]:
    """Yield the versions of the changelog with their notes, newest first."""
    file = checkout / "CHANGELOG.md"
    _, *parts = re.split(r"^## (.+)$", file.read_text("utf-8") if file.exists() else "", flags=re.MULTILINE)
    return zip(parts[::2], parts[1::2], strict=True)


def meant(text: str, answers: Mapping[str, Any]) -> str:
    """Return the notes without the items that begin with other answers, as in "- `broker=rabbitmq`: ..."."""

    def applies(item: str) -> bool:
        named = re.match(r"- `([\w=|, ]+)`: ", item)
        conditions = [part.strip().split("=") for part in named[1].split(",")] if named else []
        return all(str(answers.get(name)) in choices.split("|") for name, choices in conditions)

    return "".join(item for item in re.split(r"^(?=- |\n)", text, flags=re.MULTILINE) if applies(item)).strip()
