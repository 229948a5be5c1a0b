"""`make release VERSION=0.2.0`: checks that the commit is fit to be that release, then tags it."""

import os
import subprocess
import sys
from pathlib import Path

from packaging.version import Version

from combinations import TEMPLATE
from missing import Missing
from releases import CHANGELOG, entries, git, released, version_of


class NotReady(Exception):
    """One sentence: what is wrong and what to do."""


def release(repository: Path, name: str, checks: list[str]) -> None:
    """Tag HEAD as `name`; raises NotReady."""
    version = version_of(name)
    if version is None or str(version) != name:
        raise NotReady(f"{name!r} is not a version as PEP 440 writes it; try VERSION=0.2.0.")
    if git("status", "--porcelain", cwd=repository):
        raise NotReady("The working tree has changes; commit them first.")
    _is_named(repository, version)
    for check in checks:
        if subprocess.run(check, shell=True, cwd=repository).returncode != 0:
            raise NotReady(f"`{check}` failed; a release is green.")
    git("tag", "--annotate", "--message", f"Release {version}", str(version), cwd=repository)


def _is_named(repository: Path, version: Version) -> None:
    """By the changelog, first and only now: whoever has no tags finds the commit by that."""
    texts = entries((repository / CHANGELOG).read_text())
    if not texts.get(str(version)):
        raise NotReady(f"{CHANGELOG} says nothing below `## {version}`; write what people have to know who update.")
    if next(iter(texts)) != str(version):
        raise NotReady(f"`## {next(iter(texts))}` stands above `## {version}` in {CHANGELOG}; the newest comes first.")
    versions = released(repository)
    if newer := [str(other) for other in versions if other > version]:
        raise NotReady(f"{newer[-1]} is out already; choose a newer version than that.")
    head = git("rev-parse", "HEAD", cwd=repository)
    if versions[version] != head:
        raise NotReady(
            f"{CHANGELOG} names {version} since {versions[version][:10]}, and a release is the commit that names it: "
            "make it the last one, or choose another version."
        )
    if git("tag", "--list", str(version), cwd=repository):
        raise NotReady(f"The tag {version} is there already.")


if __name__ == "__main__":
    # The variable is for the tests of this script alone: what they release is no template.
    commands = os.environ.get("RELEASE_CHECKS", "make lint;make test").split(";")
    try:
        release(Path(os.environ.get("RELEASE_OF", TEMPLATE)), (*sys.argv, "")[1], commands)
    except (NotReady, Missing) as error:
        sys.exit(str(error))
    print(f"Tagged {sys.argv[1]}; `git push origin {sys.argv[1]}` publishes it.")
