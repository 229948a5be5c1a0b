"""Runs git and reads and writes its objects."""

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = ["Refused", "blobs", "git", "git_bytes", "hashes", "run", "said", "shown"]

# A program that git itself starts, such as a hook, inherits these; each call here names its folder instead.
INHERITED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
# The commits that are made for a merge never enter a branch, and not everybody has told git a name.
IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in {"NAME": "template", "EMAIL": "template@localhost"}.items()
}


# A name there may be a token, as GitLab and GitHub take them.
USER = re.compile(r"(?<=://)[^/\s'@]+@")


class Refused(Exception):
    """The update cannot go on; the message is one sentence that says what is wrong and what to do, without passwords."""

    def __init__(self, sentence: str) -> None:
        super().__init__(shown(sentence))


def shown(text: str) -> str:
    """Return a text without the names and passwords of the URLs in it."""
    return USER.sub("", text)


def run(*words: str, cwd: Path, text: bytes | None = None, **variables: str) -> subprocess.CompletedProcess[bytes]:
    # Nobody is there to answer when a server asks for a password.
    inherited = {name: value for name, value in os.environ.items() if name not in INHERITED}
    environment = inherited | IDENTITY | {"GIT_TERMINAL_PROMPT": "0"} | variables
    # Its words are read here too, which are others in another language.
    environment["LC_ALL"] = "C"
    try:
        return subprocess.run(["git", *words], cwd=cwd, input=text, capture_output=True, env=environment)
    except (FileNotFoundError, PermissionError) as error:
        if error.filename != "git":
            raise
        raise Refused(f"git does not start, {error.strerror}; install git, or put it on the PATH.") from None


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return git's own reason in one line."""
    words = " ".join(done.stderr.decode(errors="replace").split()) or "it does not say why"
    # What a transport adds explains nothing.
    return words.removeprefix("fatal: ").partition(" fatal: Could not read from remote repository")[0].rstrip(".")


def git_bytes(
    *words: str, cwd: Path, text: bytes | None = None, accept: Iterable[int] = (0,), **variables: str
) -> bytes:
    """Return what git printed; raise Refused with git's own reason when it fails."""
    done = run(*words, cwd=cwd, text=text, **variables)
    if done.returncode not in accept:
        raise Refused(f"`git {' '.join(words)}` failed: {said(done)}.")
    return done.stdout


def git(*words: str, cwd: Path, text: str | None = None, accept: Iterable[int] = (0,), **variables: str) -> str:
    """Return the same as text; a file name that is not UTF-8 survives the way there and back."""
    given = None if text is None else text.encode("utf-8", "surrogateescape")
    printed = git_bytes(*words, cwd=cwd, text=given, accept=accept, **variables)
    return printed.decode("utf-8", "surrogateescape")


def blobs(hashed: Iterable[str], cwd: Path) -> dict[str, bytes]:
    """Return the content of each object, by its hash."""
    wanted = list(dict.fromkeys(hashed))
    stream = git_bytes("cat-file", "--batch", cwd=cwd, text="".join(f"{each}\n" for each in wanted).encode())
    found, place = {}, 0
    for each in wanted:
        head, _, _ = stream[place : place + 200].partition(b"\n")
        size = int(head.split()[2])
        start = place + len(head) + 1
        found[each], place = stream[start : start + size], start + size + 1
    return found


def hashes(contents: Mapping[str, bytes], cwd: Path, scratch: Path) -> dict[str, str]:
    """Store each content as it is, without filters; return the hashes by the same keys."""
    folder = scratch / "objects"
    folder.mkdir(exist_ok=True)
    files = [folder / str(number) for number in range(len(contents))]
    for file, content in zip(files, contents.values(), strict=True):
        file.write_bytes(content)
    listed = "".join(f"{file.as_posix()}\n" for file in files)
    printed = git("hash-object", "-w", "--no-filters", "--stdin-paths", cwd=cwd, text=listed)
    return dict(zip(contents, printed.split(), strict=True))
