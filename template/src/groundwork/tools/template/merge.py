"""Merges a release into a service: what the old release had written, the service, and the new release.

The moves between the two releases are made in the old render and in the service alike, so that they are no difference. Nothing of
the service changes here: see `write.py`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from groundwork.tools.template.files import File, Files, committed, rendered
from groundwork.tools.template.links import Links, find
from groundwork.tools.template.moves import Moved, Moves
from groundwork.tools.template.releases import kept_by_owner, settings, tables
from groundwork.tools.template.render import ANSWERS, Answers, render, with_source
from groundwork.tools.template.service import Service, answers_in
from groundwork.tools.template.style import Style, with_line_endings_of
from groundwork.tools.template.three_way import Decided, three_way

__all__ = ["RENDERS", "Merge", "Release", "merge"]

# The folders of the old release and of the new one, while they are merged.
RENDERS = ("base", "theirs")


@dataclass(frozen=True)
class Release:
    """The release that a service goes to, and what Copier needs to render it and the one before."""

    # A clone of the template with the new release in its working tree.
    checkout: Path
    # Where Copier renders from, and how it is started.
    source: str
    copier: Sequence[str]
    # What Copier checks out.
    to: str
    # The answers in the last commit, and those to the questions of the new release.
    before: Answers
    after: Answers


@dataclass
class Merge:
    """What the service becomes, and what its owner may want to know about it."""

    before: Files
    theirs: Files
    decided: Decided
    moved: Moved
    # The template changed them, and they are behind a link to elsewhere.
    unreached: list[str]
    version: str


def merge(service: Service, release: Release, scratch: Path) -> Merge:
    """Raise Refused where that cannot be done."""
    before = committed(service.top, service.prefix)
    folders = [scratch / name for name in RENDERS]
    wanted = [(release.before["_commit"], release.before), (release.to, release.after)]
    render(release.copier, release.source, dict(zip(folders, wanted, strict=True)), service.folder)
    old, new = (rendered(folder) for folder in folders)
    moves = Moves(tables(release.checkout, release.before["_commit"]), before, [ANSWERS])
    base, ours = moves.apply(old), moves.apply(before)
    links = find(ours.files, base.files | new)
    unreached = _unreached(links, base.files, new)

    style = Style.of(service, folders, scratch / "style", {*before, *old, *ours.files, *new})
    mine = style.tidied(ours, before)
    template = [links.redirected(style.tidied(base, old)), links.redirected(new)]
    template = [with_line_endings_of(mine, files) for files in style.of_owner(mine, *template)]
    _leave_to_owner(kept_by_owner(settings(release.checkout)), mine, *template)
    answers = File(new[ANSWERS].mode, with_source(new[ANSWERS].data, release.before))
    for files in (mine, *template):
        files[ANSWERS] = answers
    decided = three_way(template[0], mine, template[1], service.top, service.prefix, scratch)
    return Merge(before, template[1], decided, ours, unreached, answers_in(answers.data.decode())["_commit"])


def _unreached(links: Links, base: Files, theirs: Files) -> list[str]:
    names = sorted({*base, *theirs})
    return [name for name in names if links.unreached(name) and base.get(name) != theirs.get(name)]


def _leave_to_owner(patterns: Iterable[str], ours: Files, base: Files, theirs: Files) -> None:
    """A file that is the owner's from the first day comes once, and is left out of every merge."""
    for name in {*base, *theirs}:
        path = Path(name)
        if any(fnmatchcase(path.name, pattern) or fnmatchcase(name, pattern.lstrip("/")) for pattern in patterns):
            if name in base or name in ours:
                theirs.pop(name, None)
            base.pop(name, None)
