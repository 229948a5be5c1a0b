"""Decides for each path what an update makes of it; where both sides changed a file, git merges its lines.

A path is never taken for the new name of another one: only the tables of moves rename.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from groundwork.tools.template.anchors import Added, put_back, taken_out
from groundwork.tools.template.files import File, Files, folders
from groundwork.tools.template.git import blobs, git, hashes

__all__ = ["Decided", "three_way"]

BASE, OURS, THEIRS = 1, 2, 3
Sides = tuple[Files, Files, Files]
# Copier's own words.
LABELS = {OURS: (b"<", b"before updating"), THEIRS: (b">", b"after updating")}


@dataclass
class Decided:
    """The files after the merge, and the paths that need a decision or a word."""

    files: Files = field(default_factory=dict)
    # By path, git's stages of what is in doubt: mode and hash by number.
    in_doubt: dict[str, dict[int, tuple[str, str]]] = field(default_factory=dict)
    # The owner had deleted them or their folder, and the template changed them.
    missing: list[str] = field(default_factory=list)
    # The template dropped them, and nobody had edited them.
    gone: list[str] = field(default_factory=list)


def three_way(base: Files, ours: Files, theirs: Files, top: Path, prefix: str, scratch: Path) -> Decided:
    """Merge what changed from base to ours with what changed from base to theirs."""
    decided = Decided()
    both: list[str] = []
    # Of a folder that the owner deleted new files do not come either.
    there = {folder for name in ours for folder in folders(name)}
    deleted = {folder for name in base for folder in folders(name)} - there
    for name in sorted({*base, *ours, *theirs}):
        before, mine, new = base.get(name), ours.get(name), theirs.get(name)
        kept = mine
        if new and mine is None and before != new and (before or deleted.intersection(folders(name))):
            decided.missing.append(name)
        elif mine == before != new:
            kept = new
            decided.gone += [] if new else [name]
        elif before != new != mine:
            both.append(name)
        if kept:
            decided.files[name] = kept
    if both:
        _merge(decided, both, (base, ours, theirs), top, prefix, scratch)
    return decided


def _merge(decided: Decided, names: list[str], sides: Sides, top: Path, prefix: str, scratch: Path) -> None:
    base, ours, theirs = sides
    stages = _stages(names, sides, top, scratch)
    lines = [name for name in names if _has_lines(name, sides)]
    added: dict[str, Added] = {}
    rest = dict(ours)
    for name in lines:
        if name in base and name in ours:
            data, added[name] = taken_out(base[name].data, ours[name].data)
            rest[name] = replace(ours[name], data=data)
    files, doubtful = _merged([name for name in lines if added.get(name)], (base, rest, theirs), top, prefix, scratch)
    restored = {name: put_back(file.data, added[name]) for name, file in files.items()}
    files = {name: replace(files[name], data=data) for name, data in restored.items() if data is not None}
    plain, unsure = _merged([name for name in lines if name not in files], sides, top, prefix, scratch)
    decided.files |= files | plain
    in_doubt = unsure | (doubtful & files.keys()) | set(names) - set(lines)
    decided.in_doubt |= {name: stages[name] for name in sorted(in_doubt)}


def _merged(names: list[str], sides: Sides, top: Path, prefix: str, scratch: Path) -> tuple[Files, set[str]]:
    """Let git merge the lines of these files; return them, and which have marks of a conflict."""
    if not names:
        return {}, set()
    stages = _stages(names, sides, top, scratch)
    commits: dict[int, str] = {}
    for stage in (BASE, OURS, THEIRS):
        versions = {prefix + name: stages[name][stage] for name in names if stage in stages[name]}
        parent = ["-p", commits[BASE]] if commits else []
        tree = _tree(versions, top, scratch / f"index-{stage}")
        commits[stage] = git("commit-tree", tree, *parent, "-m", "update", cwd=top).strip()
    words = ["-c", "merge.conflictStyle=merge", "merge-tree", "--write-tree", "-z", "--no-messages"]
    printed = git(*words, commits[OURS], commits[THEIRS], cwd=top, accept=(0, 1))
    tree, *rows = [row for row in printed.split("\0") if row]
    doubtful = {row.split("\t", 1)[1].removeprefix(prefix) for row in rows}
    merged = _read(tree, top, prefix)
    return merged | {name: _labelled(merged[name], commits) for name in doubtful}, doubtful


def _has_lines(name: str, sides: Sides) -> bool:
    """Say whether git can merge the lines: the template still has the file, and none of the three is a link or a repository."""
    files = [side[name] for side in sides if name in side]
    return name in sides[-1] and all(file.mode.startswith("100") for file in files)


def _stages(names: list[str], sides: Sides, top: Path, scratch: Path) -> dict[str, dict[int, tuple[str, str]]]:
    """Store the three versions of each file; return their modes and hashes."""
    versions = {(name, stage): side[name] for name in names for stage, side in enumerate(sides, 1) if name in side}
    contents = {f"{stage}{name}": file.data for (name, stage), file in versions.items() if not file.hash}
    stored = hashes(contents, top, scratch)
    found: dict[str, dict[int, tuple[str, str]]] = {name: {} for name in names}
    for (name, stage), file in versions.items():
        found[name][stage] = (file.mode, file.hash or stored[f"{stage}{name}"])
    return found


def _tree(rows: Mapping[str, tuple[str, str]], top: Path, index: Path) -> str:
    index.unlink(missing_ok=True)
    listed = "".join(f"{mode} {hashed} 0\t{path}\0" for path, (mode, hashed) in rows.items())
    git("update-index", "-z", "--index-info", cwd=top, text=listed, GIT_INDEX_FILE=str(index))
    return git("write-tree", cwd=top, GIT_INDEX_FILE=str(index)).strip()


def _read(tree: str, top: Path, prefix: str) -> Files:
    rows = [row.split("\t", 1) for row in git("ls-tree", "-r", "-z", tree, cwd=top).split("\0") if row]
    described = {name.removeprefix(prefix): described.split() for described, name in rows}
    contents = blobs((hashed for _, _, hashed in described.values()), cwd=top)
    return {name: File(mode, contents[hashed]) for name, (mode, _, hashed) in described.items()}


def _labelled(file: File, commits: Mapping[int, str]) -> File:
    """Say in the marks of a conflict which side is which; git has written the commits there."""
    data = file.data
    for stage, (mark, label) in LABELS.items():
        written = rb"^(%b{7,}) %b(?=\r?$)" % (mark, commits[stage].encode())
        data = re.sub(written, rb"\1 " + label, data, flags=re.MULTILINE)
    return File(file.mode, data)
