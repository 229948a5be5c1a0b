"""Writes a merge into the working tree and the index, or nothing of it."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from groundwork.tools.template.files import Files, folders, unlinked
from groundwork.tools.template.git import Refused, git, hashes
from groundwork.tools.template.merge import Merge
from groundwork.tools.template.service import Service, refuse_in_the_way

__all__ = ["refuse_unwritable", "remove_empty", "write"]

CACHE = "__pycache__"


def refuse_unwritable(service: Service, merge: Merge) -> None:
    """Raise Refused where a file would replace one that git does not know, or stand where a folder is."""
    after = merge.decided.files
    for name in sorted(after):
        if folder := next((f for f in folders(name) if f in after), None):
            raise Refused(
                f"The release brings `{name}`, and `{folder}` is a file of yours; rename it, commit, and update again."
            )
    refuse_in_the_way(service, merge.before, after)


def write(service: Service, merge: Merge, scratch: Path) -> None:
    """Make working tree and index of the service's folder what the merge says; whatever fails leaves both as they were."""
    refuse_unwritable(service, merge)
    before, after = merge.before, merge.decided.files
    changed = {name: file for name, file in after.items() if before.get(name) != file}
    removed = sorted(before.keys() - after.keys())
    _refuse_read_only(service, [*changed, *removed])
    tree = _tree(service, changed, removed, scratch)
    with _all_or_nothing(service, [*changed, *removed], scratch):
        # An equal file that git does not know is no reason to refuse, but git would.
        for name in changed.keys() - before.keys():
            if unlinked(service.folder, name):
                (service.folder / name).unlink(missing_ok=True)
        # Git compares times before it replaces a file.
        git("update-index", "-q", "--refresh", cwd=service.top, accept=(0, 1))
        git("read-tree", "-m", "-u", "HEAD", tree, cwd=service.top)
        _mark(service, merge)
    remove_empty(service.folder, removed)


def _refuse_read_only(service: Service, names: Iterable[str]) -> None:
    """Raise Refused where this user could neither write what changes nor put it back."""
    folders = {next(above for above in (service.folder / name).parents if above.is_dir()) for name in names}
    for folder in sorted(folders | {service.top / ".git"}):
        if not os.access(folder, os.W_OK):
            raise Refused(f"{folder} cannot be written by this user; update as the user whose folder it is.")


def _tree(service: Service, changed: Files, removed: list[str], scratch: Path) -> str:
    """Return the tree of the whole repository with the service as it will be."""
    stored = hashes({name: file.data for name, file in changed.items() if not file.hash}, service.top, scratch)
    rows = [f"0 {'0' * 40}\t{service.prefix}{name}\0" for name in removed]
    rows += [f"{f.mode} {f.hash or stored[name]} 0\t{service.prefix}{name}\0" for name, f in changed.items()]
    index = str(scratch / "index")
    git("read-tree", "HEAD", cwd=service.top, GIT_INDEX_FILE=index)
    git("update-index", "-z", "--index-info", cwd=service.top, text="".join(rows), GIT_INDEX_FILE=index)
    return git("write-tree", cwd=service.top, GIT_INDEX_FILE=index).strip()


def _mark(service: Service, merge: Merge) -> None:
    """Note in the index what is in doubt, so that `git status`, `git checkout --ours` and `--theirs` know it."""
    rows = []
    for name, stages in merge.decided.in_doubt.items():
        path = service.prefix + name
        rows += [f"0 {'0' * 40}\t{path}\0"]
        rows += [f"{mode} {hashed} {stage}\t{path}\0" for stage, (mode, hashed) in stages.items()]
    git("update-index", "-z", "--index-info", cwd=service.top, text="".join(rows))


@contextmanager
def _all_or_nothing(service: Service, names: list[str], scratch: Path) -> Iterator[None]:
    """Put the index and these files back, byte by byte, when what follows fails or is interrupted."""
    index = service.top / git("rev-parse", "--git-path", "index", cwd=service.top).strip()
    kept = scratch / "kept"
    places = {index: kept / "index"} | {service.folder / n: kept / "files" / n for n in names}
    for place, copy in places.items():
        if os.path.lexists(place):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(place, copy, follow_symlinks=False)
    try:
        yield
    except BaseException:
        for place in places:
            if os.path.lexists(place) and not (place.is_dir() and not place.is_symlink()):
                place.unlink()
        remove_empty(service.folder, names)
        for place, copy in places.items():
            if os.path.lexists(copy):
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(copy, place, follow_symlinks=False)
        raise


def remove_empty(top: Path, names: Iterable[str]) -> None:
    """Remove the folders of these files where no file is left; bytecode is none, and Python would import its folder."""
    for folder in sorted({folder for name in names for folder in folders(name)}, reverse=True):
        path = top / folder
        if path.is_dir() and not path.is_symlink() and {each.name for each in path.iterdir()} <= {CACHE}:
            shutil.rmtree(path)
