"""Applies the tables of moves to the files of a service: paths, imports and names."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from tokenize import TokenError
from typing import TypeVar

from groundwork.tools.template.files import LINK, File, Files, text_of, with_text
from groundwork.tools.template.git import Refused
from groundwork.tools.template.imports import Rewritten, rewrite
from groundwork.tools.template.links import links_to_parts, moved_link
from groundwork.tools.template.table import Mention, Table

__all__ = ["Moved", "Moves"]

Note = TypeVar("Note")


@dataclass
class Moved:
    """The files after the moves."""

    files: Files
    # From which old files each one comes.
    sources: dict[str, list[str]]
    # What was rewritten in strings and in files that are not Python, and what may have been meant, by new path.
    mentions: dict[str, list[Mention]] = field(default_factory=dict)
    # What no rule could rewrite, by new path.
    unsolved: dict[str, list[str]] = field(default_factory=dict)


class Moves:
    """The tables that lie between two releases, in order, for a service with these files.

    Equal files are rewritten once: most of a service is what its template rendered.
    """

    def __init__(self, tables: Iterable[Table], files: Iterable[str], untouched: Iterable[str] = ()) -> None:
        self.tables: list[Table] = []
        for table in tables:
            self.tables.append(table.staying(files))
            files = [table.path(file) for file in files]
        self.untouched = set(untouched)
        self._known: dict[tuple[int, str, str], Rewritten] = {}

    def path(self, old: str) -> str:
        for table in self.tables:
            old = table.path(old)
        return old

    def apply(self, files: Files) -> Moved:
        """Raise Refused where a file that moves would replace another one."""
        moved = Moved(files, {name: [name] for name in files})
        for number in range(len(self.tables)):
            moved = self._apply_one(number, moved)
        return moved

    def _apply_one(self, number: int, before: Moved) -> Moved:
        table = self.tables[number]
        after = Moved({}, {}, _carried(before.mentions, table), _carried(before.unsolved, table))
        for new, olds in _sources(before.files, table).items():
            parts = [self._rewritten(number, old, new, before.files, after) for old in olds]
            after.files[new] = parts[0] if len(parts) == 1 else _joined(parts, new)
            after.sources[new] = [source for old in olds for source in before.sources[old]]
        for place, link in links_to_parts(before.files, after.files, table).items():
            after.files.setdefault(place, link)
            after.sources.setdefault(place, [])
        return after

    def _rewritten(self, number: int, old: str, new: str, files: Files, after: Moved) -> File:
        file, table = files[old], self.tables[number]
        if file.mode == LINK:
            return moved_link(file, old, new, table)
        text = text_of(file)
        if text is None or old in self.untouched:
            return file
        key = (number, old, text)
        if key not in self._known:
            self._known[key] = _rewrite(text, old, new, table)
        known = self._known[key]
        after.mentions.setdefault(new, []).extend(known.mentions)
        after.unsolved.setdefault(new, []).extend(known.unsolved)
        return file if known.text == text else with_text(file, known.text)


def _rewrite(text: str, old: str, new: str, table: Table) -> Rewritten:
    unsolved = []
    if old.endswith((".py", ".pyi")):
        try:
            return rewrite(text, old, new, table)
        except (SyntaxError, ValueError, TokenError):
            unsolved = ["Python cannot read this file; only names were rewritten"]
    mentions = table.mentions(text)
    return Rewritten(table.rewritten(text), mentions, unsolved if mentions else [])


def _sources(files: Files, table: Table) -> dict[str, list[str]]:
    """Return the old paths of each new one, in the order of the table."""
    found: dict[str, list[str]] = {}
    for old in files:
        found.setdefault(table.path(old), []).append(old)
    order = {old: number for number, old in enumerate(table.paths)}
    for new, olds in found.items():
        if len(olds) > 1 and not order.keys() >= set(olds):
            moving = [f"`{old}`" for old in olds if old != new]
            there = new if new in olds else next(old for old in olds if old not in order)
            raise Refused(
                f"The release moves {' and '.join(moving)} to `{new}`, where only one file can be;"
                f" rename `{there}`, commit, and update again."
            )
        olds.sort(key=lambda old: order.get(old, 0))
    return found


def _joined(parts: list[File], name: str) -> File:
    """Return the parts one after the other; two empty lines keep an edit at the end of one off the beginning of the next."""
    ended = [part.data if part.data.endswith(b"\n") or not part.data else part.data + b"\n" for part in parts]
    return File(parts[0].mode, (b"\n\n" if name.endswith(".py") else b"").join(filter(None, ended)))


def _carried(notes: dict[str, list[Note]], table: Table) -> dict[str, list[Note]]:
    carried: dict[str, list[Note]] = {}
    for name, found in notes.items():
        carried.setdefault(table.path(name), []).extend(found)
    return carried
