"""Updates from what was released to the working tree, by `app template update` and by a plain `copier update`.

An untouched service of the last release is updated for every combination of answers that it had. What people did to
their service, and other answers, are tried on a subset that has every choice; the suites of updated services run for two.
"""

import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest
import yaml
from conftest import Generate, present_or_skipped
from packaging.version import Version

from combinations import AXES, DEFAULTS, QUICK, TEMPLATE, Answers, label
from releases import CHANGELOG, entries, git
from run_folder import RunFolder
from services import url_of
from suite import cpu_seconds, prove
from their_edits import ADDED_FILES, DELETED, edit, edit_main, edit_permissions
from updating import (
    HERE,
    THEIRS,
    answers_of,
    commit,
    files,
    in_doubt,
    old_combinations,
    old_service,
    plain_update,
    tagged_releases,
    update,
    without_git,
)
from updating import releases as all_releases

LAST = all_releases()[-1]
TABLES = TEMPLATE / "hooks/migrations"
# A plain `copier update` across a release that moves files asks for trust.
MOVES = any(Version(table.stem) > Version(LAST) for table in TABLES.glob("*.toml"))
# What a release wrote anew, where people remove the sample; here is how they go on.
REWRITTEN = {"src/app/main.py": edit_main, "tests/test_permissions.py": edit_permissions}
BY = {"src/app/main.py": Version("0.4.0"), "tests/test_permissions.py": Version("0.5.0")}
IN_DOUBT = {name for name, version in BY.items() if Version(LAST) < version}
# Where release 0.4.0 put a file of the edits.
MOVED = {"src/app/accounts/models.py"} if MOVES else set()
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
    """Like a fresh copy but for what is ours."""
    here, there = files(service), files(fresh)
    assert {name for name in here | there if here.get(name) != there.get(name)} <= ours


@pytest.mark.parametrize("asked", old_combinations(), ids=label)
def test_an_untouched_service_becomes_a_fresh_one(
    template: Path, generate: Generate, tmp_path: Path, asked: Answers
) -> None:
    service = old_service(template, tmp_path / "service", asked, LAST)
    readme = (service / THEIRS).read_text()

    update(service)

    assert in_doubt(service) == []
    assert_fresh(service, generate(**asked), {THEIRS})
    assert (service / THEIRS).read_text() == readme
    # What they were asked stays answered, and nothing else was decided for them.
    assert answers_of(service) == DEFAULT | asked


@pytest.mark.parametrize("version", all_releases())
def test_so_does_one_of_any_release(template: Path, generate: Generate, tmp_path: Path, version: str) -> None:
    service = old_service(template, tmp_path / "service", {}, version)

    update(service)

    assert in_doubt(service) == []
    assert_fresh(service, generate(), {THEIRS})


@pytest.mark.parametrize(
    "asked",
    [{}, {"broker": "rabbitmq", "database": "sync", "email_provider": "resend", "ci": "gitlab"}],
    ids=["default", "others"],
)
def test_a_plain_copier_update_does_the_same(
    template: Path, generate: Generate, tmp_path: Path, asked: Answers
) -> None:
    service = old_service(template, tmp_path / "service", asked, LAST)

    plain_update(service, trusted=MOVES)

    assert in_doubt(service) == []
    assert_fresh(service, generate(**asked), {THEIRS})


def edited(template: Path, service: Path, answers: Answers) -> dict[str, list[str]]:
    """A service of the last release with all edits, committed; returns the lines that each file has because of them."""
    old_service(template, service, answers, LAST)
    lines = edit(service)
    commit(service)
    return lines


def assert_kept(service: Path, fresh: Path, lines: dict[str, list[str]]) -> None:
    """All edits, each in its file and in its order, and all else as in a fresh copy."""
    assert set(in_doubt(service)) == IN_DOUBT
    assert_fresh(service, fresh, {*lines, *DELETED, *IN_DOUBT, *MOVED})
    now = files(service)
    assert not DELETED & now.keys()
    assert {name: now[name] for name in ADDED_FILES} == ADDED_FILES
    # Where imports moved they are other lines; test_two_storeys.py and the suites below look at those.
    for name, theirs in () if MOVES else lines.items():
        known = set(theirs)
        assert [line for line in now[name].split("\n") if line in known and line] == [line for line in theirs if line]


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
    for name in in_doubt(service):
        git("checkout", "--theirs", name, cwd=service)
        REWRITTEN[name](service / name)
    if Version(LAST) < Version("0.5.0"):
        # As the changelog says: of users who are not verified.
        tests = service / "tests/test_invoices.py"
        tests.write_text(re.sub(r"def test_only_verified.*?\n(?=\n\n\S)\n\n", "", tests.read_text(), flags=re.DOTALL))

    failure = prove(run_folder, without_git(service), after)

    assert failure is None, f"{failure.remedy}\n{failure.output}"


def test_the_command_line_of_copier_says_what_comes_next(template: Path, generate: Generate, tmp_path: Path) -> None:
    service = old_service(template, tmp_path / "service", {}, LAST)
    before = cpu_seconds()

    command = [
        sys.executable,
        "-m",
        "copier",
        "update",
        "--defaults",
        "--vcs-ref",
        HERE,
        *(["--trust"] if MOVES else []),
    ]
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
    """A renamed one is in a table of moves; of a deleted one the changelog says so."""
    service = old_service(template, tmp_path / "service", asked, LAST)
    texts = entries((TEMPLATE / CHANGELOG).read_text()).items()
    since = "".join(text for _, text in takewhile(lambda entry: entry[0] != LAST, texts))

    gone = update(service).decided.gone

    assert {name for name in gone if f"`{name}`" not in since} == set()


def test_a_migration_that_was_released_never_changes(template: Path) -> None:
    """Where it has run it does not run again: a correction is a new one."""
    folder = "template/migrations/versions"

    changed = git("diff", "--name-status", "--no-renames", "--diff-filter=a", LAST, HERE, "--", folder, cwd=template)

    assert changed == ""
