"""Every combination's own suite, on real services: PostgreSQL, the combination's broker, a worker process."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Generate, present_or_skipped

from combinations import AXES, COMBINATIONS, DEFAULTS, GROUNDWORKS, PROVIDERS, SUITES, Answers, label
from run_folder import RunFolder
from services import database as databases
from services import made_database, namespace, url_of
from suite import add_ring, commands, cpu_seconds, execute, place, prove

DEFAULT = {axis: DEFAULTS[axis] for axis in AXES}
# The tests of the machinery in which a relay runs.
WITH_RELAYS = "tests/groundwork/test_{cli,job_commands,relaying,supervisor,survival}.py tests/test_{reports,worker}.py"
pytestmark = pytest.mark.matrix


def pythons() -> list[str]:
    """One interpreter for each version from 3.11 that is installed here, but for the one that runs this."""
    found: dict[str, str] = {}
    places = [*os.environ.get("PATH", "").split(os.pathsep)]
    places += [str(path) for path in Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob("versions/*/bin")]
    for minor in range(11, 15):
        for folder in places:
            python = shutil.which(f"python3.{minor}", path=folder)
            works = python and subprocess.run([python, "-c", ""], capture_output=True).returncode == 0
            if works and python and minor != sys.version_info.minor:
                found.setdefault(f"3.{minor}", python)
    return list(found.values())


Prove = Callable[..., None]


@pytest.fixture
def proved(run_folder: RunFolder, record_property: Callable[[str, object], None]) -> Prove:
    """Prove it, or name the service that is missing; a failure shows the project's own words."""

    def check(render: Path, answers: Answers, python: str = sys.executable, ring: str = "") -> None:
        with present_or_skipped():
            url_of(run_folder, "postgresql")
            url_of(run_folder, answers["broker"])
        before = cpu_seconds()
        failure = prove(run_folder, render, answers, python, ring)
        seconds = cpu_seconds() - before
        record_property("proof", {"ring": ring or "own suite", "answers": answers, "cpu_seconds": seconds})
        if failure:
            print(failure.output)
            pytest.fail(failure.remedy, pytrace=False)

    return check


@pytest.mark.parametrize("answers", SUITES, ids=label)
def test_the_own_suite_passes(generate: Generate, proved: Prove, answers: Answers) -> None:
    proved(generate(**answers), answers)


@pytest.mark.waits
@pytest.mark.parametrize("answers", GROUNDWORKS, ids=label)
def test_the_groundwork_suite_passes(generate: Generate, proved: Prove, answers: Answers) -> None:
    proved(add_ring(generate(**answers), "groundwork", answers["email_provider"]), answers, ring="groundwork")


@pytest.mark.parametrize("answers", PROVIDERS, ids=label)
def test_the_provider_suite_passes(
    generate: Generate, proved: Prove, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more forged reports than at home."""
    monkeypatch.setenv("FUZZ_EXAMPLES", "4")
    proved(add_ring(generate(**answers), "providers", answers["email_provider"]), answers, ring="providers")


def test_postgresql_from_its_wheel_serves_whoever_asks(generate: Generate, proved: Prove) -> None:
    proved(add_ring(generate(), "embedded", DEFAULT["email_provider"]), DEFAULT, ring="embedded")


@pytest.mark.parametrize("python", pythons())
def test_the_default_passes_on_every_python_here(generate: Generate, proved: Prove, python: str) -> None:
    proved(generate(), DEFAULT, python)


def test_the_own_suite_needs_no_service_at_all(generate: Generate, workplace: Path) -> None:
    project = shutil.copytree(generate(), workplace / "service", symlinks=True)

    output = execute("bash", "-ec", "uv sync --quiet && uv run pytest", cwd=project, UV_PYTHON=sys.executable)

    assert " passed" in output
    assert "skipped" not in output


def drop_lines(file: Path, *words: str) -> int:
    """How many had one of these words."""
    lines = file.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not any(word in line for word in words)]
    file.write_text("".join(kept))
    return len(lines) - len(kept)


def test_the_sample_can_be_removed_as_the_guide_says(generate: Generate, run_folder: RunFolder, proved: Prove) -> None:
    project = generate()
    shutil.rmtree(project / "src/app/reports")
    (project / "tests/test_reports.py").unlink()
    assert drop_lines(project / "src/app/main.py", "reports") == 2
    assert drop_lines(project / "tests/test_permissions.py", "reports", "report_id") == 5
    blocks = {"index.html": r"<form id=.new-report.*?</form>", "app.js": r"on\(item\S+show.*?\n  }\);"}
    for name, block in blocks.items():
        page = project / "src/app/web" / name
        page.write_text(re.sub(rf" +{block}\n", "", page.read_text(), flags=re.DOTALL))
        # Of the button that shows one, and of the form.
        assert 1 <= drop_lines(page, "report") <= 2
    assert drop_lines(project / "src/app/web/style.css", "report") == 2
    with present_or_skipped():
        url_of(run_folder, "postgresql")
    with made_database(run_folder) as url:
        variables = {"DATABASE_URL": url, "BROKER_URL": "memory://", "SECRET_KEY": "x" * 32, "ENVIRONMENT": "test"}
        words = "uv run app migrate && uv run alembic revision --autogenerate -m 'drop reports'"
        environment = place().environment(sys.executable)
        execute("bash", "-ec", words, cwd=project, **variables, **environment)
    shutil.rmtree(project / ".venv", ignore_errors=True)

    proved(project, DEFAULT)


def test_the_pages_can_be_left_out_as_the_guide_says(generate: Generate, proved: Prove) -> None:
    project = generate()
    for page, test in {"web": "test_web.py", "admin": "test_admin_page.py"}.items():
        shutil.rmtree(project / "src/app" / page)
        (project / "tests" / test).unlink()

    assert drop_lines(project / "src/app/main.py", "web", "import admin", "admin.add") == 4
    # With the comment.
    assert drop_lines(project / "pyproject.toml", "sqladmin", "greenlet") == 3
    proved(project, DEFAULT)


@pytest.mark.parametrize("broker", AXES["broker"])
def test_no_test_minds_what_the_schedule_enqueues_meanwhile(
    generate: Generate, run_folder: RunFolder, broker: str
) -> None:
    """At a quarter past each hour it is the template's own entry that comes while some suite runs."""
    project = add_ring(generate(broker=broker), "groundwork", DEFAULT["email_provider"])
    schedule = project / "src/app/schedule.py"
    often = 'SCHEDULE = (\n    Entry("often", housekeeping, every(milliseconds=50)),\n'
    text = schedule.read_text().replace("import Entry, crontab,", "import Entry, crontab, every,")
    schedule.write_text(text.replace("SCHEDULE = (\n", often))
    assert often in schedule.read_text()
    with present_or_skipped():
        url_of(run_folder, "postgresql")
        url_of(run_folder, broker)

    with databases(run_folder) as database_url, namespace(run_folder, broker) as broker_url:
        services = {"TEST_DATABASE_URL": database_url, "TEST_BROKER_URL": broker_url}
        words = f"uv sync --quiet && uv run pytest {WITH_RELAYS}"
        environment = place().environment(sys.executable) | services
        output = execute("bash", "-ec", words, cwd=place().put(project), **environment)

    assert " passed" in output


@pytest.mark.parametrize("database", AXES["database"])
def test_a_longer_attack_finds_no_way_in(
    generate: Generate, run_folder: RunFolder, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    """Many questions, guesses and races, and many samples of the time that might tell which addresses have an account."""
    monkeypatch.setenv("FUZZ_EXAMPLES", "12")
    monkeypatch.setenv("TIMING_SAMPLES", "101")
    project = add_ring(generate(database=database), "groundwork", DEFAULT["email_provider"])
    with present_or_skipped():
        url_of(run_folder, "postgresql")

    with databases(run_folder) as url:
        variables = place().environment(sys.executable) | {"TEST_DATABASE_URL": url}
        files = "tests/test_openapi.py tests/groundwork/test_{questions,timing,forgeries}.py"
        words = f"uv sync --quiet && uv run pytest -rP {files}"
        output = execute("bash", "-ec", words, cwd=place().put(project), **variables)

    print(*[line for line in output.splitlines() if "medians" in line or " passed" in line], sep="\n")
    assert " passed" in output


def test_every_choice_of_ci_has_commands(generate: Generate) -> None:
    """They are the same everywhere: what passes at home passes there."""
    checks = [path for path in (generate() / "src/groundwork/tools").rglob("*.py") if "CHECKS = (" in path.read_text()]
    listed = re.search(r"CHECKS = \((.*?)\)", checks[0].read_text(), re.DOTALL)
    assert listed
    for ci in AXES["ci"]:
        assert commands(generate(ci=ci), DEFAULT | {"ci": ci}) == re.findall('"(.*?)"', listed[1])


def test_the_suites_cover_every_pair_of_answers_and_all_that_a_suite_reads() -> None:
    rest = [axis for axis in AXES if axis != "ci"]

    assert {tuple(answers[axis] for axis in rest) for answers in SUITES} == {
        tuple(answers[axis] for axis in rest) for answers in COMBINATIONS
    }
    assert len(SUITES) == len(COMBINATIONS) / len(AXES["ci"])
    for axis in rest:
        pairs = {(answers[axis], answers["ci"]) for answers in SUITES}
        assert len(pairs) == len(AXES[axis]) * len(AXES["ci"])


def test_the_rings_cover_what_they_are_about() -> None:
    brokers = {(answers["broker"], answers["database"]) for answers in GROUNDWORKS}

    assert len(GROUNDWORKS) == len(brokers) == len(AXES["broker"]) * len(AXES["database"])
    assert [answers["email_provider"] for answers in PROVIDERS] == AXES["email_provider"]
