"""`copier update`, from what was released to the working tree, without --trust.

An untouched service of the last release is updated for every combination of answers that it had. What people did to
their service, and other answers, are tried on a subset that has every choice; the suites of updated services run for two.
"""

import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest
import yaml

from combinations import AXES, DEFAULTS, QUICK, TEMPLATE, Answers, label
from conftest import Generate, present_or_skipped
from releases import CHANGELOG, entries, git
from run_folder import RunFolder
from services import url_of
from suite import prove
from test_matrix import cpu_seconds
from their_edits import ADDED_FILES, DELETED, edit
from updating import (
    HERE,
    THEIRS,
    answers_of,
    commit,
    files,
    in_doubt,
    old_combinations,
    old_service,
    tagged_releases,
    update,
    without_git,
)
from updating import releases as all_releases

LAST = all_releases()[-1]
pytestmark = pytest.mark.slow
DEFAULT = {axis: DEFAULTS[axis] for axis in AXES}
# Each choice once, as another answer than it was.
SWITCHES = [
    pytest.param(axis, choice, id=f"{axis}={choice}")
    for axis in AXES
    for choice in AXES[axis]
    if choice != DEFAULT[axis]
]


@pytest.fixture
def template(run_folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Path:
    return tagged_releases(run_folder, monkeypatch)


def assert_fresh(service: Path, fresh: Path, ours: set[str]) -> None:
    """Merged without a doubt, and like a fresh copy but for what is ours."""
    assert in_doubt(service) == []
    here, there = files(service), files(fresh)
    assert {name for name in here | there if here.get(name) != there.get(name)} <= ours


@pytest.mark.parametrize("asked", old_combinations(), ids=label)
def test_an_untouched_service_becomes_a_fresh_one(
    template: Path, generate: Generate, tmp_path: Path, asked: Answers
) -> None:
    service = old_service(template, tmp_path / "service", asked, LAST)
    readme = (service / THEIRS).read_text()

    update(service)

    assert_fresh(service, generate(**asked), {THEIRS})
    assert (service / THEIRS).read_text() == readme
    # What they were asked stays answered, and nothing else was decided for them.
    assert answers_of(service) == DEFAULT | asked


@pytest.mark.parametrize("version", all_releases())
def test_so_does_one_of_any_release(template: Path, generate: Generate, tmp_path: Path, version: str) -> None:
    service = old_service(template, tmp_path / "service", {}, version)

    update(service)

    assert_fresh(service, generate(), {THEIRS})


def edited(template: Path, service: Path, answers: Answers) -> dict[str, list[str]]:
    """A service of the last release with all edits, committed; returns the lines that each file has because of them."""
    old_service(template, service, answers, LAST)
    lines = edit(service)
    commit(service)
    return lines


def assert_kept(service: Path, fresh: Path, lines: dict[str, list[str]]) -> None:
    """All edits, each in its file and in its order, and all else as in a fresh copy."""
    assert_fresh(service, fresh, {*lines, *DELETED})
    now = files(service)
    assert not DELETED & now.keys()
    for name, theirs in lines.items():
        known = set(theirs)
        assert [line for line in now[name].split("\n") if line in known and line] == [line for line in theirs if line]
    assert {name: now[name] for name in ADDED_FILES} == ADDED_FILES


@pytest.mark.parametrize("asked", QUICK, ids=label)
def test_what_people_did_survives(template: Path, generate: Generate, tmp_path: Path, asked: Answers) -> None:
    service = tmp_path / "service"
    lines = edited(template, service, asked)

    update(service)

    assert_kept(service, generate(**asked), lines)


@pytest.mark.parametrize(("axis", "choice"), SWITCHES)
def test_another_answer_makes_it_what_a_fresh_copy_with_it_is(
    template: Path, generate: Generate, tmp_path: Path, axis: str, choice: str
) -> None:
    service = tmp_path / "service"
    lines = edited(template, service, DEFAULT)

    update(service, answers={axis: choice})

    assert_kept(service, generate(**{axis: choice}), lines)
    assert answers_of(service) == DEFAULT | {axis: choice}


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("before", "change"),
    [
        ({"broker": "redis", "database": "async"}, {"broker": "rabbitmq", "email_provider": "resend", "ci": "gitlab"}),
        ({"broker": "rabbitmq", "database": "sync"}, {}),
    ],
    ids=["async-redis-to-rabbitmq", "sync-rabbitmq"],
)
def test_an_updated_services_suite_is_green_theirs_included(
    template: Path, run_folder: RunFolder, tmp_path: Path, before: Answers, change: Answers
) -> None:
    service = tmp_path / "service"
    edited(template, service, DEFAULT | before)
    update(service, answers=change)
    after = DEFAULT | before | change
    with present_or_skipped():
        url_of(run_folder, "postgresql")
        url_of(run_folder, after["broker"])
    assert in_doubt(service) == []

    failure = prove(run_folder, without_git(service), after)

    assert failure is None, f"{failure.remedy}\n{failure.output}"


def test_the_command_line_updates_without_trust_and_says_what_comes_next(
    template: Path, generate: Generate, tmp_path: Path
) -> None:
    service = old_service(template, tmp_path / "service", {}, LAST)
    before = cpu_seconds()

    command = [sys.executable, "-m", "copier", "update", "--defaults", "--vcs-ref", HERE]
    done = subprocess.run(command, cwd=service, capture_output=True, text=True)

    print(f"copier update: {cpu_seconds() - before:.1f} CPU-seconds")
    assert done.returncode == 0, done.stderr
    for words in ("git ls-files --unmerged", "uv run app migrate", "uv run pytest"):
        assert words in done.stderr
    assert_fresh(service, generate(), {THEIRS})


def test_every_choice_of_the_last_release_is_still_there(template: Path) -> None:
    questions = yaml.safe_load(git("show", f"{LAST}:copier.yml", cwd=template))

    for name, question in questions.items():
        if "choices" in question and not name.startswith("_"):
            assert set(question["choices"].values()) <= set(AXES[name])


@pytest.mark.parametrize(
    "asked",
    [{}, {"broker": "rabbitmq", "database": "sync", "email_provider": "resend", "ci": "gitlab"}],
    ids=["default", "others"],
)
def test_no_file_goes_without_a_word(template: Path, generate: Generate, tmp_path: Path, asked: Answers) -> None:
    """Of a renamed one `_migrations` takes the edits along; of a deleted one the changelog says so."""
    before = old_service(template, tmp_path / "service", asked, LAST)
    settings = yaml.safe_load((TEMPLATE / "copier.yml").read_text())
    moved = {word for migration in settings.get("_migrations", []) for word in migration["command"]}
    texts = entries((TEMPLATE / CHANGELOG).read_text()).items()
    since = "".join(text for _, text in takewhile(lambda entry: entry[0] != LAST, texts))

    gone = files(before).keys() - files(generate(**asked)).keys()

    assert {name for name in gone if name not in moved and f"`{name}` is gone" not in since} == set()


def test_a_migration_that_was_released_never_changes(template: Path) -> None:
    """Where it has run it does not run again: a correction is a new one."""
    folder = "template/migrations/versions"

    changed = git("diff", "--name-status", "--no-renames", "--diff-filter=a", LAST, HERE, "--", folder, cwd=template)

    assert changed == ""
