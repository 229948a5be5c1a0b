import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app import template
from app.cli import cli

CHANGELOG = """# Changelog

## 0.10.0

For everybody.

- Nor is this limited.
- `broker=kafka`: only with Kafka,
  in two lines.
- `broker=redis|rabbitmq, database=sync`: only without coroutines.

## 0.9.0

In between.

## 0.1.0

The first.
"""


def git(*words: str | Path) -> None:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *words], check=True, capture_output=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A template with three releases and a candidate of the next one."""
    folder = tmp_path / "template"
    git("init", "--quiet", folder)
    (folder / "CHANGELOG.md").write_text(CHANGELOG)
    git("-C", folder, "add", "--all")
    git("-C", folder, "commit", "--quiet", "--message", "All")
    for tag in ("0.1.0", "0.9.0", "0.10.0", "0.11.0rc1", "other"):
        git("-C", folder, "tag", tag)
    return folder


@pytest.fixture
def project(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed service of 0.1.0, and the folder we are in."""
    folder = tmp_path / "service"
    git("init", "--quiet", folder)
    monkeypatch.chdir(folder)
    at("0.1.0", source)
    git("add", "--all")
    git("commit", "--quiet", "--message", "Start")
    return folder


def at(version: str, source: Path) -> None:
    answers = f"_commit: {version}\n_src_path: {source}\nbroker: redis\ndatabase: sync\n"
    Path(template.ANSWERS).write_text(answers)


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["template", *words])
    return result.exit_code, result.output


@pytest.mark.usefixtures("project")
def test_what_is_newer_is_told_as_far_as_it_concerns_these_answers() -> None:
    code, output = run("status")

    assert code == 0
    assert "0.10.0 is the newest release" in output
    assert "## 0.10.0\n\nFor everybody.\n\n- Nor is this limited.\n- `broker=redis|rabbitmq, database=sync`" in output
    assert "In between." in output
    assert "Kafka" not in output
    assert "two lines" not in output
    assert "The first" not in output


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("version", ["0.10.0", "0.10.0-3-gabcdef0"])
def test_nothing_is_newer_than_the_newest(source: Path, version: str) -> None:
    at(version, source)

    assert run("status") == (
        0,
        f"This service is at {version} of {source}.\nThere is no newer release.\n",
    )


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("gh:ada/template", "https://github.com/ada/template"),
        ("gl:ada/template.git", "https://gitlab.com/ada/template.git"),
        ("git+https://example.org/template", "https://example.org/template"),
        ("git@example.org:ada/template.git", "git@example.org:ada/template.git"),
    ],
)
def test_a_source_is_found_by_the_names_that_copier_knows(source: str, url: str) -> None:
    assert template._url(source) == url


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("rm -r .git", "This folder is not in git; first: git init"),
        ("touch new", "There are changes that are not committed"),
        ("rm .copier-answers.yml", "There is no .copier-answers.yml here"),
        ("echo '<<<<<<<' > .copier-answers.yml", ".copier-answers.yml is damaged"),
        ("rm -r ../template", "/template' does not appear to be a git repository.\n"),
    ],
)
def test_an_update_that_cannot_begin_says_why_in_one_sentence(project: Path, spoil: str, says: str) -> None:
    subprocess.run(["/bin/sh", "-c", spoil], check=True)

    code, output = run("update")

    assert code == 1
    assert says in output
    assert len(output.splitlines()) == 1


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("command", ["status", "update"])
def test_a_relative_path_of_the_template_is_refused_with_its_remedy(command: str) -> None:
    at("0.1.0", Path("elsewhere/template"))
    git("commit", "--quiet", "--all", "--message", "Move")

    code, output = run(command)

    assert code == 1
    assert "`_src_path: elsewhere/template` in .copier-answers.yml is a relative path" in output
    assert output.endswith("write the template's URL or absolute path there, and commit.\n")


@pytest.mark.parametrize(
    ("copier", "check", "says"),
    [
        ("echo merged > file", "true", (0, "all checks pass")),
        ("echo merged > file", "false", (1, "The update is merged, but `false` fails")),
        (
            "printf '100644 %s 2\\tfile\\n' $(git hash-object -w .copier-answers.yml) | git update-index --index-info",
            "true",
            (1, "You and the template changed the same lines of:\nfile\n"),
        ),
        ("exit 4", "true", (1, "Copier has not finished")),
    ],
)
def test_an_update_ends_with_the_checks_or_with_what_is_to_be_done(
    project: Path, monkeypatch: pytest.MonkeyPatch, copier: str, check: str, says: tuple[int, str]
) -> None:
    program = project.parent / "bin/copier"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n[ \"$*\" = 'update --defaults --data broker=kafka' ] || exit 1\n{copier}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(program.parent), os.environ["PATH"]]))
    monkeypatch.setattr(template, "CHECKS", (check,))

    code, output = run("update", "--data", "broker=kafka")

    assert code == says[0], output
    assert says[1] in output
