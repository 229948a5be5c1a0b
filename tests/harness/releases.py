"""The template's releases: the commits whose CHANGELOG.md is the first to name them, whether or not a clone has their tags."""

import re
import subprocess
from pathlib import Path

from packaging.version import InvalidVersion, Version

from missing import Missing

CHANGELOG = "CHANGELOG.md"


def git(*words: str, cwd: Path) -> str:
    """What it printed; its complaint is the message when it fails."""
    # Neither a person's configuration nor the variables of a hook that runs these tests.
    identity = ["-c", "user.name=Tests", "-c", "user.email=tests@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *words], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"git {' '.join(words)} in {cwd}: {done.stderr}"
    return done.stdout.strip()


def entries(changelog: str) -> dict[str, str]:
    """The text below each heading, newest first."""
    _, *parts = re.split(r"^## (.+)$", changelog, flags=re.MULTILINE)
    return {heading.strip(): text.strip() for heading, text in zip(parts[::2], parts[1::2], strict=True)}


def version_of(heading: str) -> Version | None:
    try:
        return Version(heading)
    except InvalidVersion:
        return None


def released(repository: Path) -> dict[Version, str]:
    """Each version's commit, oldest first; raises Missing where the history was not cloned."""
    try:
        shallow = git("rev-parse", "--is-shallow-repository", cwd=repository)
    except AssertionError:
        raise Missing(f"{repository} is not in git, so it has no releases to update from") from None
    if shallow == "true":
        raise Missing("this clone is shallow, so its releases cannot be found; run `git fetch --unshallow`")
    found: dict[Version, str] = {}
    for commit in git("log", "--reverse", "--topo-order", "--format=%H", "--", CHANGELOG, cwd=repository).splitlines():
        if git("ls-tree", commit, CHANGELOG, cwd=repository):
            for heading in entries(git("show", f"{commit}:{CHANGELOG}", cwd=repository)):
                if version := version_of(heading):
                    found.setdefault(version, commit)
    return dict(sorted(found.items()))


def tagged_clone(repository: Path, folder: Path) -> list[Version]:
    """A clone to throw away, in which every release has its tag."""
    versions = released(repository)
    git("clone", "--quiet", "--no-tags", str(repository), str(folder), cwd=repository)
    for version, commit in versions.items():
        git("tag", str(version), commit, cwd=folder)
    return list(versions)
