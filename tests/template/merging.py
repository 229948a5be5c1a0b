"""Services of the small template, and their updates by the merge of `app template update`: what test_merge.py works on."""

import os
import shlex
import shutil
import stat
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import pytest
import yaml

from combinations import TEMPLATE
from releases import git
from run_folder import RunFolder
from small_template import DEFAULTS, FIRST, SECOND, make
from suite import UV, execute

__all__ = [
    "PACKAGE",
    "SOURCES",
    "Workshop",
    "append",
    "commit",
    "engine",
    "files",
    "remove",
    "replace",
    "said",
    "unmerged",
    "update",
    "write",
]

SOURCES = TEMPLATE / "template/src"
PACKAGE = "groundwork.tools.template"


def engine(module: str) -> Any:
    """A module of the engine; as in Copier's Python, no `__init__.py` imports what only a service has."""
    for name in ("groundwork", "groundwork.tools", PACKAGE):
        if name not in sys.modules:
            package = ModuleType(name)
            package.__path__ = [str(SOURCES / name.replace(".", "/"))]
            sys.modules[name] = package
    # The template is rendered as it lies there, bytecode and all.
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(sys, "dont_write_bytecode", True)
        return import_module(f"{PACKAGE}.{module}")


class Workshop:
    """The small template, a `copier` that renders each release once, and folders for services."""

    def __init__(self, shared: Path, folder: Path) -> None:
        self.template, self.programs, self.folder = shared / "small", shared / "programs", folder
        self.python = shared / "environment/bin/python"
        # Each process of a run has its own.
        self.services = shared / f"services-{os.getpid()}"
        self.services.mkdir(exist_ok=True)

    @classmethod
    def prepare(cls, shared: Path) -> None:
        """Make what all tests of a run use."""
        make(shared / "small", TEMPLATE / "hooks/migrations/merge.py", SOURCES)
        programs = shared / "programs"
        programs.mkdir()
        (shared / "renders").mkdir()
        words = [sys.executable, "-I", "-S", str(Path(__file__).parent / "cached_copier.py"), str(shared / "renders")]
        (programs / "copier").write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        (programs / "copier").chmod(0o755)
        shutil.copy(Path(sys.executable).parent / "ruff", programs / "ruff")
        # What `app template` needs beside the standard library.
        execute(UV, "venv", "--quiet", "--python", sys.executable, shared / "environment", cwd=shared)
        python = str(shared / "environment/bin/python")
        execute(UV, "pip", "install", "--quiet", "--python", python, "typer>=0.29", "pyyaml>=6", cwd=shared)

    def service(self, version: str = FIRST, **answers: str) -> Path:
        """A service as somebody made it with that release, and committed it."""
        folder = self.folder / "service"
        kept = self.services / "-".join([version, *answers.values()])
        if not kept.exists():
            made = self.fresh(version, "made", **answers)
            git("init", "--quiet", cwd=made)
            commit(made)
            shutil.copytree(made, kept, symlinks=True)
            shutil.rmtree(made)
        shutil.copytree(kept, folder, symlinks=True)
        # The times of the files are others now.
        git("update-index", "-q", "--refresh", cwd=folder)
        return folder

    def fresh(self, version: str = SECOND, place: str = "fresh", **answers: str) -> Path:
        """A fresh copy of a release."""
        folder, data = self.folder / place, self.folder / "data.yml"
        # As an update asks for it.
        data.write_text(yaml.safe_dump(DEFAULTS | answers, allow_unicode=True))
        options = ["--defaults", "--quiet", "--vcs-ref", version, "--data-file", str(data)]
        subprocess.run([self.programs / "copier", "copy", *options, str(self.template), str(folder)], check=True)
        return folder


@pytest.fixture
def workshop(run_folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    def make() -> str:
        folder = run_folder.path / "merging"
        folder.mkdir()
        Workshop.prepare(folder)
        return str(folder)

    made = Workshop(Path(run_folder.shared("merging-made", make)), tmp_path)
    # The only `copier` and the only `ruff`; and nobody's own settings of git.
    monkeypatch.setenv("PATH", os.pathsep.join([str(made.programs), os.environ["PATH"]]))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    # A dozen files that each repository would begin with.
    monkeypatch.setenv("GIT_TEMPLATE_DIR", "")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return made


@pytest.fixture
def service(workshop: Workshop) -> Path:
    """A service of the first release; `.git/ignored` is its owner's global list of what git ignores."""
    service = workshop.service()
    git("config", "core.excludesFile", ".git/ignored", cwd=service)
    return service


def commit(service: Path) -> None:
    git("add", "--all", cwd=service)
    git("commit", "--quiet", "--allow-empty", "--message", "Ours", cwd=service)


def update(service: Path, *data: str, to: str = SECOND) -> Any:
    """What `app template update` does before it runs the checks; returns its Merge, raises its Refused."""
    with TemporaryDirectory(dir=service.parent) as scratch:
        found = engine("service").found_service(service)
        release = engine("choice").chosen(found, data, to, Path(scratch))
        merged = engine("merge").merge(found, release, Path(scratch))
        engine("write").write(found, merged, Path(scratch))
    return merged


def said(service: Path, merged: Any) -> str:
    """What the update tells a person."""
    return "\n".join(engine("report").report(engine("service").found_service(service), merged))


def files(folder: Path) -> dict[str, tuple[bytes, bool]]:
    """All files but git's, each with its content and whether it can be executed; of a link, where it leads."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not name.startswith(".git/") and (path.is_symlink() or path.is_file()):
            content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
            found[name] = (content, bool(path.lstat().st_mode & stat.S_IXUSR))
    return found


def write(service: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (service / name).parent.mkdir(parents=True, exist_ok=True)
        (service / name).write_text(text)


def append(service: Path, *names: str) -> None:
    for name in names:
        with (service / name).open("a") as file:
            file.write("\n\nOURS = 'here'\n" if name.endswith(".py") else "ours\n")


def replace(service: Path, name: str, old: str, new: str) -> None:
    text = (service / name).read_text()
    assert old in text, text
    (service / name).write_text(text.replace(old, new))


def remove(service: Path, *names: str) -> None:
    git("rm", "-r", "--quiet", *names, cwd=service)


def unmerged(service: Path) -> set[str]:
    return {row.split("\t")[1] for row in git("ls-files", "--unmerged", cwd=service).splitlines()}
