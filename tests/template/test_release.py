"""`make release`, on small repositories."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

from combinations import TEMPLATE
from missing import Missing
from releases import CHANGELOG, entries, git, released, tagged_clone

FIRST = "# Changelog\n\n## 0.1.0\n\nThe first.\n"
SECOND = FIRST.replace("## 0.1.0", "## 0.2.0\n\nThe second.\n\n## 0.1.0")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """With the release 0.1.0, one more commit, and 0.2.0."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git("init", "--quiet", cwd=folder)
    for text in (FIRST, FIRST.replace("first", "very first"), SECOND):
        commit(folder, text)
    return folder


def commit(folder: Path, changelog: str) -> None:
    (folder / CHANGELOG).write_text(changelog)
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--message", "More", cwd=folder)


def make_release(repository: Path, version: str, checks: str = "true") -> tuple[int, str]:
    environment = os.environ | {"RELEASE_OF": str(repository), "RELEASE_CHECKS": checks}
    words = [sys.executable, str(TEMPLATE / "tests/harness/release.py"), version]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_a_release_is_tagged(repository: Path) -> None:
    code, says = make_release(repository, "0.2.0")

    assert code == 0, says
    assert git("rev-list", "-1", "0.2.0", cwd=repository) == git("rev-parse", "HEAD", cwd=repository)


@pytest.mark.parametrize(
    ("version", "changelog", "checks", "says"),
    [
        ("", SECOND, "true", "'' is not a version as PEP 440 writes it"),
        ("0.2.0-final", SECOND, "true", "'0.2.0-final' is not a version as PEP 440 writes it"),
        ("v0.2.0", SECOND, "true", "'v0.2.0' is not a version as PEP 440 writes it"),
        ("0.2.0", SECOND, "true;false", "`false` failed"),
        ("0.3.0", SECOND, "true", "CHANGELOG.md says nothing below `## 0.3.0`"),
        ("0.3.0", SECOND.replace("## 0.2.0", "## 0.3.0\n\n## 0.2.0"), "true", "says nothing below `## 0.3.0`"),
        ("0.3.0", SECOND + "\n## 0.3.0\n\nAt the end.\n", "true", "`## 0.2.0` stands above `## 0.3.0`"),
        ("0.1.1", SECOND.replace("## 0.2.0", "## 0.1.1\n\nOld.\n\n## 0.2.0"), "true", "0.2.0 is out already"),
        ("0.2.0", SECOND.replace("second", "second one"), "true", "names 0.2.0 since "),
    ],
)
def test_what_is_not_ready_is_refused_in_one_sentence(
    repository: Path, version: str, changelog: str, checks: str, says: str
) -> None:
    if changelog != SECOND:
        commit(repository, changelog)

    code, output = make_release(repository, version, checks)

    assert code == 1
    assert says in output
    assert len(output.splitlines()) == 1
    assert git("tag", cwd=repository) == ""


def test_nothing_is_released_twice_or_with_changes_that_are_not_committed(repository: Path) -> None:
    (repository / "new").touch()
    dirty = make_release(repository, "0.2.0")
    (repository / "new").unlink()
    make_release(repository, "0.2.0")

    assert dirty == (1, "The working tree has changes; commit them first.\n")
    assert make_release(repository, "0.2.0") == (1, "The tag 0.2.0 is there already.\n")


def test_releases_are_found_without_tags_and_not_without_history(repository: Path, tmp_path: Path) -> None:
    versions = tagged_clone(repository, tmp_path / "clone")
    git("clone", "--quiet", "--depth", "1", f"file://{repository}", str(tmp_path / "shallow"), cwd=tmp_path)

    assert (
        [str(version) for version in versions] == git("tag", cwd=tmp_path / "clone").splitlines() == ["0.1.0", "0.2.0"]
    )
    assert git("show", "0.1.0:CHANGELOG.md", cwd=tmp_path / "clone") == FIRST.strip()
    with pytest.raises(Missing, match="git fetch --unshallow"):
        released(tmp_path / "shallow")


def test_this_changelog_names_what_was_released() -> None:
    headings = list(entries((TEMPLATE / CHANGELOG).read_text()))

    versions = [Version(heading) for heading in headings if heading != "Unreleased"]
    assert versions == sorted(versions, reverse=True)
    assert "Unreleased" not in headings[1:]
