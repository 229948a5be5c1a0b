"""The files of a service in memory: those of its last commit, and those of a render."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from groundwork.tools.template.git import blobs, git

__all__ = ["LINK", "File", "Files", "committed", "folders", "rendered", "text_of", "unlinked", "with_text"]

LINK, FILE, PROGRAM = "120000", "100644", "100755"
# Nobody writes a longer text by hand; what is longer is kept as it is, and its content is not read.
LONGEST = 1_000_000


@dataclass(frozen=True)
class File:
    """One file: its mode as git writes it, and its content, or in place of that the hash of what git has."""

    mode: str
    data: bytes = b""
    hash: str = ""


# By their paths below the folder of the service, with slashes.
Files = dict[str, File]


def committed(top: Path, prefix: str) -> Files:
    """Return the files of the last commit below that folder; `prefix` is empty or ends with a slash."""
    tree = f"HEAD:{prefix.rstrip('/')}"
    rows = [row.split("\t", 1) for row in git("ls-tree", "-r", "-l", "-z", tree, cwd=top).split("\0") if row]
    found: Files = {}
    short: dict[str, tuple[str, str]] = {}
    for described, name in rows:
        mode, kind, hashed, size = described.split()
        if kind == "blob" and int(size) <= LONGEST:
            short[name] = (mode, hashed)
        else:
            found[name] = File(mode, hash=hashed)
    contents = blobs((hashed for _, hashed in short.values()), cwd=top)
    return found | {name: File(mode, contents[hashed]) for name, (mode, hashed) in short.items()}


def rendered(folder: Path) -> Files:
    """Return all files of a folder."""
    found: Files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = File(LINK, os.fsencode(os.readlink(path)))
        elif path.is_file():
            runs = path.stat().st_mode & stat.S_IXUSR
            found[name] = File(PROGRAM if runs else FILE, path.read_bytes())
    return found


def folders(name: str) -> list[str]:
    """Return the folders that a file lies in, below that of the service."""
    return [name[:place] for place, letter in enumerate(name) if letter == "/"]


def unlinked(top: Path, name: str) -> bool:
    """Say whether a path leads to its file through folders alone: behind a link lies another file."""
    return not any((top / folder).is_symlink() for folder in folders(name))


def text_of(file: File) -> str | None:
    """Return the text of a file, and None for a link and for what is no text."""
    if file.mode not in (FILE, PROGRAM) or file.hash or b"\0" in file.data:
        return None
    try:
        return file.data.decode("utf-8")
    except UnicodeDecodeError:
        # Whatever the encoding is, each byte comes back as it was.
        return file.data.decode("latin-1")


def with_text(file: File, text: str) -> File:
    try:
        file.data.decode("utf-8")
    except UnicodeDecodeError:
        return File(file.mode, text.encode("latin-1"))
    return File(file.mode, text.encode("utf-8"))
