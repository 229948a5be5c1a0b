"""The style of a service: what its own ruff makes of a file after the moves, so that style is never a difference to merge.

A file whose imports were sorted before the moves has them sorted afterwards, and a formatted file is formatted; in any other file
only what moved is rewritten. Where the owner formats otherwise than the template does, its files are formatted as the owner's are.
"""

import subprocess
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import environ
from pathlib import Path
from shutil import which
from typing import Any

from groundwork.tools.template.files import Files, text_of, with_text
from groundwork.tools.template.moves import Moved
from groundwork.tools.template.service import Service

__all__ = ["Ruff", "Style", "with_line_endings_of"]

CONFIGURATIONS = (".ruff.toml", "ruff.toml", "pyproject.toml")
# What ruff formats: also the Python in Markdown, in newer versions.
FORMATTED = (".py", ".md")
# Settings that decide how a file looks; others, such as rules that an owner adds, do not.
OF_STYLE = ("line-length", "indent-width", "preview", "target-version", "extend", "format")


@dataclass(frozen=True)
class Ruff:
    """Ruff with one configuration, in a folder of its own."""

    command: tuple[str, ...]
    configuration: Path | None
    scratch: Path
    # All modules before and after the moves: ruff tells a service's own from others by whether there is such a file.
    modules: frozenset[str]
    # What it made of a text before; most files of a service are as the template wrote them.
    known: dict[tuple[str, ...], str] = field(default_factory=dict)

    def sort(self, texts: Mapping[str, str]) -> dict[str, str]:
        """Sort the imports; a file that ruff cannot read stays."""
        return self._run(texts, "check", "--select", "I", "--fix", "--exit-zero")

    def format(self, texts: Mapping[str, str]) -> dict[str, str]:
        return self._run(texts, "format")

    def _run(self, texts: Mapping[str, str], *words: str) -> dict[str, str]:
        new = {name: text for name, text in texts.items() if (*words, name, text) not in self.known}
        if new:
            files = self._written(new)
            chosen = ["--config", str(self.configuration)] if self.configuration else ["--isolated"]
            command = [*self.command, *words, "--quiet", "--no-cache", *chosen, "."]
            subprocess.run(command, cwd=self.scratch, capture_output=True)
            for (name, text), file in zip(new.items(), files, strict=True):
                self.known[*words, name, text] = file.read_bytes().decode()
                file.write_bytes(b"")
        return {name: self.known[*words, name, text] for name, text in texts.items()}

    def _written(self, texts: Mapping[str, str]) -> list[Path]:
        for name in () if self.scratch.exists() else self.modules:
            (self.scratch / name).parent.mkdir(parents=True, exist_ok=True)
            (self.scratch / name).touch()
        for name, text in texts.items():
            (self.scratch / name).parent.mkdir(parents=True, exist_ok=True)
            (self.scratch / name).write_bytes(text.encode())
        return [self.scratch / name for name in texts]


def found_ruff(service: Service) -> tuple[str, ...] | None:
    """Return the service's own ruff, or that of its workspace, or another one of this machine."""
    for folder in (service.folder, service.top):
        for program in (folder / ".venv/bin/ruff", folder / ".venv/Scripts/ruff.exe"):
            if program.exists():
                return (str(program),)
    if ruff := which("ruff"):
        return (ruff,)
    uv = which(environ.get("UV", "uv"))
    return (uv, "tool", "run", "ruff") if uv else None


def configuration(folder: Path, top: Path) -> Path | None:
    """Return the file that configures ruff there: the nearest one up to the top of the repository."""
    for place in (folder, *folder.parents):
        for name in CONFIGURATIONS:
            if (place / name).is_file() and _settings(place / name) is not None:
                return place / name
        if place == top:
            break
    return None


@dataclass(frozen=True)
class Style:
    """Ruff with the configuration that the service's files follow, or none on a machine without ruff."""

    ruff: Ruff | None
    # Whether the owner formats otherwise than the template does.
    own: bool

    @classmethod
    def of(cls, service: Service, renders: Sequence[Path], scratch: Path, names: Iterable[str]) -> "Style":
        """`renders` are the old and the new release; `names` are all files before and after the moves."""
        command = found_ruff(service)
        owners = configuration(service.folder, service.top)
        before, after = (configuration(folder, folder) for folder in renders)
        own = _of_style(owners) != _of_style(before)
        modules = frozenset(name for name in names if name.endswith(".py"))
        return cls(Ruff(command, owners if own else after, scratch, modules) if command else None, own)

    def tidied(self, moved: Moved, before: Files) -> Files:
        """Return the files after the moves, each as tidy as it was."""
        changed = {
            new: olds
            for new, olds in moved.sources.items()
            if new.endswith(".py") and any(moved.files[new] != before[old] for old in olds)
        }
        if not self.ruff or not changed:
            return dict(moved.files)
        texts = _formatted({old: before[old] for olds in changed.values() for old in olds})
        files = dict(moved.files)
        for improve in (self.ruff.sort, self.ruff.format):
            improved = improve(texts)
            stays = {old for old, text in texts.items() if improved[old] == text}
            now = _formatted({new: files[new] for new, olds in changed.items() if stays.issuperset(olds)})
            files = _with_texts(files, improve(now))
        return files

    def of_owner(self, ours: Files, base: Files, theirs: Files) -> tuple[Files, Files]:
        """Return base and theirs, formatted by the owner's ruff where the owner's files are."""
        if not self.ruff or not self.own:
            return base, theirs
        texts = [_formatted(files) for files in (ours, base, theirs)]
        as_ours = [self.ruff.format(self.ruff.sort(each)) for each in texts]
        # What looks as the owner's ruff wants it, and did not when the template wrote it.
        styled = {
            name
            for name, text in texts[0].items()
            if as_ours[0][name] == text and name in texts[1] and as_ours[1][name] != texts[1][name]
        }
        if styled:
            everything = as_ours[0] == texts[0]
            styled |= texts[2].keys() if everything else texts[2].keys() - texts[1].keys()
        chosen = [{name: text for name, text in each.items() if name in styled} for each in as_ours]
        return _with_texts(base, chosen[1]), _with_texts(theirs, chosen[2])


def with_line_endings_of(ours: Files, files: Files) -> Files:
    """Return the files, with CRLF where the service has committed the same file with CRLF."""
    found = dict(files)
    for name, file in files.items():
        lines = ours[name].data.count(b"\n") if name in ours else 0
        text = text_of(file) if lines and ours[name].data.count(b"\r\n") == lines else None
        if text and "\r\n" not in text:
            found[name] = with_text(file, text.replace("\n", "\r\n"))
    return found


def _formatted(files: Files) -> dict[str, str]:
    return {n: text for n, file in files.items() if n.endswith(FORMATTED) and (text := text_of(file)) is not None}


def _with_texts(files: Files, texts: Mapping[str, str]) -> Files:
    return files | {name: with_text(files[name], text) for name, text in texts.items()}


def _settings(file: Path) -> dict[str, Any] | None:
    try:
        read = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return None
    settings = read.get("tool", {}).get("ruff") if file.name == "pyproject.toml" else read
    return settings if isinstance(settings, dict) else None


def _of_style(file: Path | None) -> list[Any]:
    settings = (_settings(file) if file else None) or {}
    lint = settings.get("lint", {})
    return [*(settings.get(name) for name in OF_STYLE), lint.get("isort")]
