"""The service in its git repository, and what must be right with it before an update begins."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from groundwork.tools.template.files import Files, folders
from groundwork.tools.template.git import Refused, git, run, said
from groundwork.tools.template.render import ANSWERS, Answers

__all__ = ["Service", "answers_in", "found_service", "leftovers", "refuse_in_the_way", "refuse_unready"]

# What git leaves in its folder while something is unfinished, and how that is ended.
UNFINISHED = {
    "rebase-apply/applying": ("git am", "git am --abort"),
    "rebase-apply": ("rebase", "git rebase --abort"),
    "rebase-merge": ("rebase", "git rebase --abort"),
    "MERGE_HEAD": ("merge", "git merge --abort"),
    "CHERRY_PICK_HEAD": ("cherry-pick", "git cherry-pick --abort"),
    "REVERT_HEAD": ("revert", "git revert --abort"),
    "sequencer": ("cherry-pick or revert", "git cherry-pick --abort"),
    "BISECT_LOG": ("bisect", "git bisect reset"),
}
OLDEST_GIT = (2, 38)
MARKS = r"^(<<<<<<< before|>>>>>>> after) updating.?$"


@dataclass(frozen=True)
class Service:
    """A service in a repository; in a monorepo its folder is below the top."""

    top: Path
    # Empty, or with a slash at its end.
    prefix: str

    @property
    def folder(self) -> Path:
        return self.top / self.prefix


def found_service(here: Path) -> Service:
    """Return the service of that folder; raise Refused where it has no commit to update."""
    version = re.search(r"(\d+)\.(\d+)", git("--version", cwd=here))
    if version and (int(version[1]), int(version[2])) < OLDEST_GIT:
        oldest = ".".join(map(str, OLDEST_GIT))
        raise Refused(f"git {version[0]} cannot merge without a working tree; install git {oldest} or newer.")
    found = run("rev-parse", "--show-toplevel", "--show-prefix", cwd=here)
    if found.returncode != 0:
        known = any(os.path.lexists(folder / ".git") for folder in (here, *here.parents))
        if b"not a git repository" in found.stderr and not known:
            raise Refused("This folder is not in git; first: git init && git add --all && git commit --message Start")
        raise Refused(f"git cannot work here: {said(found)}.")
    top, prefix, _ = os.fsdecode(found.stdout).split("\n", 2)
    last = run("log", "-1", "--no-show-signature", "--format=%H", cwd=here)
    listed = run("ls-tree", "HEAD", cwd=here)
    if b"does not have any commits yet" not in last.stderr:
        for done in (last, listed):
            if done.returncode != 0:
                raise Refused(f"git cannot read the last commit: {said(done)}; `git fsck` tells what is damaged.")
    if not listed.stdout:
        raise Refused("This folder is not in the last commit; first: git add --all && git commit --message Start")
    return Service(Path(top), prefix)


def refuse_unready(service: Service) -> None:
    """Raise Refused where an update would mix with something else that is under way."""
    asked = [word for trace in UNFINISHED for word in ("--git-path", trace)]
    traces = git("rev-parse", *asked, cwd=service.top).splitlines()
    for trace, (name, remedy) in zip(traces, UNFINISHED.values(), strict=True):
        if (service.top / trace).exists():
            raise Refused(f"A {name} is in progress; finish it, or take it back with `{remedy}`.")
    if unmerged := {row.split("\t")[1] for row in _listed(service, "ls-files", "--unmerged")}:
        raise Refused(f"Git has unmerged files: {_names(sorted(unmerged))}; resolve them, `git add` them, and commit.")
    if left := leftovers(service):
        raise Refused(f"An earlier update has left {_names(left)}; merge what is in there by hand, and delete it.")
    if marked := _listed(service, "grep", "--files-with-matches", "-I", "--extended-regexp", MARKS):
        raise Refused(f"An earlier update has left conflict marks in {_names(marked)}; resolve them, and commit.")
    if changes := _listed(service, "status", "--porcelain", "--no-renames", "--untracked-files=normal"):
        names = [change[3:].removeprefix(service.prefix) for change in changes]
        # `uv run`, which starts this command, writes that one.
        if others := [name for name in names if name != "uv.lock"]:
            raise Refused(
                f"There are changes that are not committed: {_names(others)}; commit them first, or `git stash` them."
            )


def leftovers(service: Service) -> list[str]:
    """Return files in which a merge has left what it could not apply, ignored ones too."""
    known = ["--cached", "--others", "--exclude-standard", "--directory"]
    kinds = [known, ["--others", "--ignored", "--exclude-standard", "--directory"]]
    names = {name for kind in kinds for name in _listed(service, "ls-files", *kind)}
    # Somebody may have written a file of that ending; beside the one that it is named after it comes from a merge.
    return sorted(n for n in names if n.endswith(".rej") or (n.endswith(".orig") and n.removesuffix(".orig") in names))


def refuse_in_the_way(service: Service, before: Files, after: Files) -> None:
    """Raise Refused where a file that the update brings would replace another one that git does not know."""
    gone = {service.folder / name for name in before.keys() - after.keys()}
    for name in sorted(after.keys() - before.keys()):
        above = [service.folder / folder for folder in folders(name)]
        for path in [*filter(_is_file, above), *_files_at(service.folder / name)]:
            same = path == service.folder / name and not path.is_symlink() and path.read_bytes() == after[name].data
            if path not in gone and not same:
                shown = path.relative_to(service.folder).as_posix()
                raise Refused(
                    f"The release brings `{name}`, and `{shown}`, which git does not know, is in the way;"
                    " move it away, and update again."
                )


def answers_in(text: str) -> Answers:
    """Read an answers file; raise Refused where it is damaged."""
    try:
        answers = dict(yaml.safe_load(text))
        if "_src_path" in answers and "_commit" not in answers:
            raise Refused(
                f"{ANSWERS} names no `_commit`, since Copier found no git where it copied the template; write the release"
                " there that this service comes from, such as `_commit: 0.4.0`, and commit."
            )
        return answers | {name: str(answers[name]) for name in ("_commit", "_src_path")}
    except (yaml.YAMLError, TypeError, ValueError, KeyError):
        raise Refused(f"{ANSWERS} is damaged; `git checkout {ANSWERS}` brings it back.") from None


def _is_file(path: Path) -> bool:
    """Say whether something other than a folder is there; a link to a folder is none."""
    return os.path.lexists(path) and (path.is_symlink() or not path.is_dir())


def _files_at(path: Path) -> list[Path]:
    if path.is_dir() and not path.is_symlink():
        return [each for each in path.rglob("*") if _is_file(each)]
    return [path] if os.path.lexists(path) else []


def _listed(service: Service, *words: str) -> list[str]:
    """Return what git lists of the service's folder."""
    command, *options = words
    patterns = [options.pop()] if command == "grep" else []
    # `grep` ends with 1 where it finds nothing.
    printed = git(command, "-z", *options, *patterns, "--", ".", cwd=service.folder, accept=(0, 1))
    return [row for row in printed.split("\0") if row]


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
