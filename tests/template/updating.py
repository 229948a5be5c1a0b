"""Old services and their updates: what test_update.py, test_two_storeys.py and test_next_release.py work on."""

import re
import shutil
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml
from conftest import present_or_skipped
from packaging.version import Version

import merging
from combinations import AXES, QUICK, TEMPLATE, Answers, in_turn
from merging import engine
from missing import Missing
from releases import git, released, tagged_clone
from run_folder import RunFolder

# Later than any release: the working tree.
HERE = "1000.0.0"
ANSWERS = ".copier-answers.yml"
# Its owner's from the first day: no update writes it.
THEIRS = "README.md"


@cache
def releases() -> list[str]:
    """Those before this commit, oldest first; a question mark where the history is missing, which the fixture tells."""
    try:
        found = released(TEMPLATE)
    except Missing:
        return ["?"]
    # A release is tried before it is tagged, and what matters is how one gets there.
    head = git("rev-parse", "HEAD", cwd=TEMPLATE)
    return [str(version) for version, commit in found.items() if commit != head]


@cache
def old_combinations() -> list[Answers]:
    """What the last release could be asked for; `ci`, which writes one file of commands, takes its choices in turn."""
    if releases() == ["?"]:
        return QUICK[:1]
    commit = released(TEMPLATE)[Version(releases()[-1])]
    questions = yaml.safe_load(git("show", f"{commit}:copier.yml", cwd=TEMPLATE))
    choices = {name: list(questions[name]["choices"].values()) for name in AXES if name in questions}
    combinations = [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]
    return [answers for answers in combinations if in_turn(answers, choices)]


def tagged_releases(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone in which each release has its tag, and so has the working tree."""

    def make() -> str:
        folder = run.path / "releases"
        tagged_clone(TEMPLATE, folder)
        for file in git("ls-files", "-z", cwd=folder).split("\0"):
            (folder / file).unlink() if file else None
        shutil.copytree(run.path / "template", folder, dirs_exist_ok=True)
        release(folder, HERE)
        check_out(folder, *releases(), HERE)
        return str(folder)

    if releases() == ["?"]:
        with present_or_skipped():
            released(TEMPLATE)
    folder = Path(run.shared("releases-made", make))
    use_checkouts(folder, monkeypatch)
    return folder


def check_out(template: Path, *versions: str) -> None:
    """One checkout for each release, which all renders of a run use."""
    for version in versions:
        folder = template.with_name(f"{template.name}-{version}")
        git("clone", "--quiet", "--branch", version, str(template), str(folder), cwd=template)


def use_checkouts(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def clone(url: str, ref: str, **_: object) -> str:
        # An update names a commit of a clone of its own.
        version = git("describe", "--tags", ref, cwd=Path(url))
        return str(template.with_name(f"{template.name}-{version}"))

    monkeypatch.setattr("copier._template.clone", clone)


def release(template: Path, version: str) -> None:
    """What is in that folder, as a release."""
    git("add", "--all", cwd=template)
    git("commit", "--quiet", "--allow-empty", "--message", version, cwd=template)
    git("tag", version, cwd=template)


def old_service(template: Path, folder: Path, answers: Answers, version: str) -> Path:
    """As somebody made it with that release, and committed it."""
    copier.run_copy(str(template), folder, data=answers, defaults=True, quiet=True, vcs_ref=version)
    git("init", "--quiet", cwd=folder)
    commit(folder)
    return folder


def commit(service: Path) -> None:
    git("add", "--all", cwd=service)
    git("commit", "--quiet", "--message", "Ours", cwd=service)


def update(service: Path, to: str = HERE, answers: Answers | None = None) -> Any:
    """What `app template update` does before it runs the checks, with Copier in this process; returns its Merge."""
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(engine("merge"), "render", _render)
        return merging.update(service, *(f"{name}={choice}" for name, choice in (answers or {}).items()), to=to)


def _render(copier_command: object, source: str, renders: dict[Path, tuple[str, Any]], here: Path) -> None:
    for folder, (version, answers) in renders.items():
        asked = engine("render").asked(answers)
        copier.run_copy(source, folder, data=asked, defaults=True, quiet=True, vcs_ref=version)


def plain_update(service: Path, to: str = HERE, answers: Answers | None = None, trusted: bool = False) -> None:
    """`copier update`."""
    copier.run_update(service, data=answers, defaults=True, overwrite=True, quiet=True, vcs_ref=to, unsafe=trusted)


def without_git(service: Path) -> Path:
    """As a fresh copy is: what runs its suite is told nothing of where it comes from."""
    shutil.rmtree(service / ".git")
    return service


def files(service: Path) -> dict[str, str]:
    paths = [path for path in service.rglob("*") if path.is_file()]
    named = {path.relative_to(service).as_posix(): path for path in paths}
    return {name: path.read_text("utf-8") for name, path in named.items() if not name.startswith((".git/", ANSWERS))}


def in_doubt(service: Path) -> list[str]:
    """Files that were not merged cleanly, whatever the trace that they leave."""
    mark = re.compile(r"^(<<<<<<< before|>>>>>>> after) updating$", re.MULTILINE)
    marked = [name for name, text in files(service).items() if mark.search(text) or name.endswith(".rej")]
    return sorted({*marked, *git("diff", "--name-only", "--diff-filter=U", cwd=service).splitlines()})


def answers_of(service: Path) -> Answers:
    answers = yaml.safe_load((service / ANSWERS).read_text())
    return {name: answers[name] for name in AXES}
