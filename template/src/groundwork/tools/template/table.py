"""The table of a release that moves modules: where each path, module and name is from then on.

`[paths]` maps files and folders. `[modules]` maps dotted names of modules; each Python file or folder below `src` in `[paths]`
is one already, and one that maps to nothing was split. `[names]` maps single functions and classes, for import statements.
The longest entry that fits decides.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from groundwork.tools.template.git import Refused

__all__ = ["Mention", "Table"]

SECTIONS = {"paths", "modules", "names"}
SOURCES = "src/"
# `app.log` may be a module or a file, `app.mail.example.com` is a host.
FILE_ENDINGS = {"db", "log"}
HOST_ENDINGS = {"com", "example", "invalid", "io", "localhost", "net", "org"}
# What a path in a text begins behind.
BEFORE_PATH = frozenset(" \t\r\n:'\"`()[]<>=,")
# What precedes or follows a name that can only be a module.
IMPORTED_BEFORE = re.compile(r"(?:\bimport\s+|\bfrom\s+|\s-m\s*)\Z")
IMPORTED_AFTER = re.compile(r"\s+import\b")


@dataclass(frozen=True)
class Mention:
    """An old name or path in a text, with the new one; None where nobody can say whether it is a module."""

    start: int
    end: int
    old: str
    new: str | None


@dataclass(frozen=True)
class Table:
    """What one release moves."""

    paths: dict[str, str]
    modules: dict[str, str]
    names: dict[str, str]

    @classmethod
    def parse(cls, text: str, name: str) -> "Table":
        """Read the table of a file of that name; raise Refused where this command is too old for it."""
        try:
            read = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise Refused(f"{name} of the template is damaged: {error}.") from None
        if unknown := read.keys() - SECTIONS:
            raise Refused(
                f"{name} of the template has a section `{min(unknown)}`, which this version of the command does not know;"
                " use `uvx copier update --trust`, which runs the command of the new release."
            )
        paths = {old.strip("/"): new.strip("/") for old, new in read.get("paths", {}).items()}
        implied = {_module(old): _module(new) for old, new in paths.items() if _module(old) and _module(new)}
        modules = {old: new for old, new in (implied | read.get("modules", {})).items() if new}
        return cls(paths, modules, read.get("names", {}))

    def staying(self, files: Iterable[str]) -> "Table":
        """Return the table for a service with these files: a module stays where its file does, whatever its package does."""
        staying = (_module(file) for file in files if self.path(file) == file)
        return replace(self, modules=self.modules | {module: module for module in staying if self.module(module)})

    def path(self, old: str) -> str:
        key = _longest(old, self.paths, "/")
        return self.paths[key] + old[len(key) :] if key else old

    def module(self, old: str) -> str | None:
        """Return the new name of a module, or None where it stays."""
        key = _longest(old, self.modules, ".")
        return self.modules[key] + old[len(key) :] if key else None

    def imported(self, module: str, name: str) -> tuple[str, str]:
        """Return from which module `from module import name` imports which name from now on."""
        full = f"{module}.{name}"
        new = self.names.get(full) or self.modules.get(full)
        if new:
            package, _, renamed = new.rpartition(".")
            return package, renamed
        return self.module(module) or module, name

    def parts(self, module: str) -> list[str]:
        """Return where the names of a module are that was split, and that no entry moves as a whole."""
        if self.module(module):
            return []
        return sorted({new.rpartition(".")[0] for old, new in self.names.items() if old.rpartition(".")[0] == module})

    def mentions(self, text: str, start: int = 0, end: int | None = None) -> list[Mention]:
        """Return the dotted names and the paths in a part of a text, in order."""
        stop = len(text) if end is None else end
        dotted = (self._dotted(found) for found in self._dotted_names.finditer(text, start, stop))
        paths = (self._path(found) for found in self._path_names.finditer(text, start, stop))
        found = [mention for mention in (*dotted, *paths) if mention and mention.new != mention.old]
        return sorted(found, key=lambda mention: mention.start)

    def rewritten(self, text: str) -> str:
        """Return a text with all its mentions rewritten."""
        parts, place = [], 0
        for mention in self.mentions(text):
            parts += [text[place : mention.start], mention.new or mention.old]
            place = mention.end
        return "".join([*parts, text[place:]])

    def _dotted(self, found: re.Match[str]) -> Mention | None:
        old = found[0]
        mapping = self.modules if self.module(old) else self.names
        key = _longest(old, mapping, ".")
        if not key or (len(key) < len(old) and old.rpartition(".")[2] in HOST_ENDINGS):
            return None
        sure = old.count(".") > 1 or old.rpartition(".")[2] not in FILE_ENDINGS
        sure = sure or bool(IMPORTED_BEFORE.search(found.string[max(0, found.start() - 20) : found.start()]))
        sure = sure or bool(IMPORTED_AFTER.match(found.string, found.end()))
        return Mention(found.start(), found.start() + len(key), key, mapping[key] if sure else None)

    def _path(self, found: re.Match[str]) -> Mention | None:
        start = found.start()
        while start and found.string[start - 1] not in BEFORE_PATH:
            start -= 1
        before = found.string[start : found.start()]
        # Another project's folder, or an address of the web.
        if ".." in before or before.startswith("//"):
            return None
        return Mention(found.start(), found.end(), found[0], self.paths[found[0]])

    @cached_property
    def _dotted_names(self) -> re.Pattern[str]:
        roots = {old.partition(".")[0] for old in (*self.modules, *self.names)}
        if not roots:
            return re.compile(r"(?!)")
        return re.compile(rf"(?<![\w./@-])(?:{_any(roots)})(?:\.[^\W\d]\w*+)++(?![\w-])")

    @cached_property
    def _path_names(self) -> re.Pattern[str]:
        if not self.paths:
            return re.compile(r"(?!)")
        return re.compile(rf"(?<![\w.-])(?:{_any(self.paths)})(?![\w-]|\.\w)")


def _any(words: dict[str, str] | set[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))


def _longest(whole: str, entries: dict[str, str], separator: str) -> str | None:
    """Return the longest entry that is that name or the beginning of it, up to a separator."""
    part = whole
    while part:
        if part in entries:
            return part
        part = part.rpartition(separator)[0]
    return None


def _module(path: str) -> str:
    """Return the dotted name of a module or a package below `src`, and nothing for another file."""
    inner = path.removeprefix(SOURCES).removesuffix(".py").removesuffix("/__init__")
    return inner.replace("/", ".") if path.startswith(SOURCES) and "." not in inner else ""
