"""The matrix can fail: each fault that it is there to find turns it red, for the reason that it is."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from combinations import DEFAULTS, TEMPLATE, Answers, as_only
from conftest import present_or_skipped
from run_folder import RunFolder
from services import namespace, url_of
from snapshot import snapshot
from suite import UV

Break = Callable[[Path], None]

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Fault:
    """What is broken in a copy of the template, which tests look for it, and what they say."""

    name: str
    breaks: Break
    found_by: str
    says: str
    answers: tuple[tuple[str, str], ...] = ()


def replace(file: str, old: str, new: str) -> Break:
    def apply(template: Path) -> None:
        path = template / file
        text = path.read_text()
        assert old in text, f"{old!r} is not in {file}: choose another fault"
        path.write_text(text.replace(old, new, 1))

    return apply


RENDERS, RUNS = "tests/test_combinations.py", "tests/test_matrix.py"
FAULTS = [
    Fault(
        "a broken file",
        replace("template/src/app/terminal.py", "def ", "def def "),
        RENDERS,
        r"SyntaxError|invalid syntax",
    ),
    Fault("a Jinja tag left over", replace("template/alembic.ini", "[", "{# note #}\n["), RENDERS, r"alembic\.ini"),
    Fault(
        "a misspelt answer in a file",
        replace("template/pyproject.toml.jinja", "{{ celery_requirement }}", "{{ celery_requirment }}"),
        RENDERS,
        r"'celery_requirment' is undefined",
    ),
    Fault(
        "a misspelt choice",
        replace("copier.yml", ": resend", ": resned"),
        RENDERS,
        r"variants/email/resned/\w+\.py",
        (("email_provider", "resned"),),
    ),
    Fault(
        "a choice without a variant",
        replace("copier.yml", "  default: outbox", "    Pigeon Post: pigeon\n  default: outbox"),
        RENDERS,
        r"variants/email/pigeon/\w+\.py",
        (("email_provider", "pigeon"),),
    ),
    Fault(
        "a line that is not formatted",
        replace("variants/database/async.py", " = ", "  =  "),
        RENDERS,
        r"ruff format --check",
    ),
    Fault(
        "a dependency that nobody declares",
        replace("template/pyproject.toml.jinja", '    "css-inline>=0.23",\n', ""),
        RUNS,
        r'module named "css_inline"',
    ),
    Fault(
        "a wrong type",
        replace("template/src/app/jobs/relay.py", "return len(taken)", "return str(len(taken))"),
        RUNS,
        r"uv run mypy .* ended with 1",
    ),
    Fault(
        "a provider's wrong address",
        replace("variants/email/resend/settings.py", "https://api.resend.com", "https://api.resend.test"),
        RUNS,
        r"FAILED tests/test_provider_contract\.py::test_the_addresses_are_the_documented_ones",
        (("email_provider", "resend"),),
    ),
    Fault(
        "a commit that is forgotten",
        replace("template/src/app/users/routes.py.jinja", "await session.commit()", "await session.flush()"),
        RUNS,
        # Who has registered cannot sign in.
        r"KeyError: 'access_token'",
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_matrix_turns_red(tmp_path: Path, run_folder: RunFolder, fault: Fault) -> None:
    mutant = tmp_path / "template"
    snapshot(TEMPLATE, mutant)
    fault.breaks(mutant)

    with ExitStack() as held:
        services = {}
        if fault.found_by == RUNS:
            with present_or_skipped():
                services["TEST_DATABASE_URL"] = url_of(run_folder, "postgresql")
                services["TEST_REDIS_URL"] = held.enter_context(namespace(run_folder, "redis"))
        code, output = outcome_of(mutant, fault.found_by, dict(fault.answers), services)

    assert code == 1, output
    assert re.search(fault.says, output), output
    if fault.found_by == RUNS:
        kept = re.search(r"Again by hand:\n.*?cd (\S+) &&", output)
        assert kept, output
        assert (Path(kept[1]) / "pyproject.toml").exists()


def outcome_of(template: Path, file: str, answers: Answers, services: dict[str, str]) -> tuple[int, str]:
    only = as_only({axis: DEFAULTS[axis] for axis in ("broker", "database", "email_provider")} | answers)
    words = [sys.executable, "-m", "pytest", "-n0", file, "--only", only]
    kept = template.parent / "kept"
    kept.mkdir()
    # -x for the rendered project's pytest too: the first failure is enough.
    environment = {"PYTEST_ADDOPTS": "-x", "TMPDIR": str(kept), "PATH": f"{UV.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(words, cwd=template, env=os.environ | environment | services, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr
