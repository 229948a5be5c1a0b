"""Symbolic links of a service: where they lead after the moves, and how an update reaches the files behind a linked folder."""

import os
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field

from groundwork.tools.template.files import LINK, File, Files, folders
from groundwork.tools.template.table import Table

__all__ = ["Links", "find", "links_to_parts", "moved_link"]


@dataclass
class Links:
    """The links of a service that stand where the template has files."""

    # To files and folders of the service, by where the link is.
    inside: dict[str, str] = field(default_factory=dict)
    # To elsewhere: an update does not reach what is behind them.
    outside: list[str] = field(default_factory=list)

    def redirected(self, files: Files) -> Files:
        """Return the template's files where the service has them, without those that are behind a link to elsewhere."""
        found: Files = {}
        for name, file in files.items():
            link = _behind(name, [*self.inside, *self.outside])
            if link is None:
                found[name] = file
            elif link in self.inside:
                found[self.inside[link] + name[len(link) :]] = file
        return found

    def unreached(self, name: str) -> str | None:
        """Return the link to elsewhere that a file of the template is behind."""
        link = _behind(name, [*self.inside, *self.outside])
        return link if link in self.outside else None


def find(ours: Files, template: Files) -> Links:
    """Return the links of a service in place of files or folders of the template."""
    parents = {each for name, file in template.items() for each in (*folders(name), name) if file.mode != LINK}
    links = Links()
    for name, file in ours.items():
        if file.mode == LINK and name in parents:
            target = _target(name, _text(file))
            if target and any(_behind(each, [target]) for each in ours):
                links.inside[name] = target
            else:
                links.outside.append(name)
    return links


def moved_link(file: File, old: str, new: str, table: Table) -> File:
    """Return a relative link that leads to where its target is now, seen from where the link is now."""
    target = _target(old, _text(file))
    if target is None:
        # Above the service nothing moves.
        elsewhere = posixpath.normpath(posixpath.join(posixpath.dirname(old), _text(file)))
        moves = not posixpath.isabs(elsewhere) and posixpath.dirname(old) != posixpath.dirname(new)
        return _link(new, elsewhere) if moves else file
    moved = table.path(target)
    return file if _target(new, _text(file)) == moved else _link(new, moved)


def links_to_parts(before: Files, after: Files, table: Table) -> Files:
    """Return a link for each part of a linked folder that the table moves elsewhere than the folder."""
    found: Files = {}
    for name, file in before.items():
        target = _target(name, _text(file)) if file.mode == LINK else None
        for old, new in table.paths.items() if target else ():
            part = table.path(target or "") + old[len(name) :]
            apart = _behind(old, [name]) and old != name and new != table.path(name) + old[len(name) :]
            if apart and any(_behind(each, [part]) for each in after):
                found[new] = _link(new, part)
    return found


def _behind(name: str, links: Iterable[str]) -> str | None:
    """Return the longest of the paths that is that name or a folder above it."""
    fitting = [link for link in links if name == link or name.startswith(f"{link}/")]
    return max(fitting, key=len, default=None)


def _text(file: File) -> str:
    return os.fsdecode(file.data)


def _link(place: str, target: str) -> File:
    return File(LINK, os.fsencode(posixpath.relpath(target, posixpath.dirname(place))))


def _target(link: str, text: str) -> str | None:
    """Return the path in the service that a relative link names, and None where that is elsewhere."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(link), text))
    return None if posixpath.isabs(text) or target == ".." or target.startswith("../") else target
