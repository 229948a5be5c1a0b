"""The rendered projects' own suites, on real services: PostgreSQL, the combination's broker, a worker process."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from combinations import Answers, covering, label
from conftest import Generate, run
from services import database, postgres_url

UV = shutil.which("uv") or str(Path(sys.prefix).parent / ".tools/bin/uv")


def pythons() -> list[str]:
    """One interpreter for each version from 3.11 that is installed here, but for the one that runs this."""
    found: dict[str, str] = {}
    places = [*os.environ.get("PATH", "").split(os.pathsep)]
    places += [str(path) for path in Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob("versions/*/bin")]
    for minor in range(11, 15):
        for place in places:
            python = shutil.which(f"python3.{minor}", path=place)
            works = python and subprocess.run([python, "-c", ""], capture_output=True).returncode == 0
            if works and python and minor != sys.version_info.minor:
                found.setdefault(f"3.{minor}", python)
    return list(found.values())


Prove = Callable[..., None]


@pytest.fixture
def prove(tmp_path_factory: pytest.TempPathFactory) -> Prove:
    """Lock and install what the project declares and nothing else; then all its checks."""
    types_seen = str(tmp_path_factory.getbasetemp() / "mypy")

    def checks(project: Path, python: str = sys.executable, **services: str) -> None:
        install(project, python)
        tools = project / ".venv/bin"
        run(tools / "ruff", "check", cwd=project)
        run(tools / "ruff", "format", "--check", cwd=project)
        run(tools / "mypy", cwd=project, MYPY_CACHE_DIR=types_seen)
        run(tools / "lint-imports", cwd=project)
        with database(f"own_suite_{os.getpid()}_test") as url:
            run(tools / "pytest", cwd=project, TEST_DATABASE_URL=url, **services)

    return checks


def install(project: Path, python: str = sys.executable) -> None:
    run(UV, "sync", "--quiet", cwd=project, UV_PYTHON=python, UV_PYTHON_DOWNLOADS="never")


@pytest.mark.parametrize("answers", covering("broker", "database"), ids=label)
def test_the_own_suite_passes(
    generate: Generate, prove: Prove, real_broker: Callable[[str], str], answers: Answers
) -> None:
    broker = real_broker(answers["broker"])

    prove(generate(**answers), TEST_BROKER_URL=broker)


@pytest.mark.parametrize("python", pythons())
def test_the_own_suite_passes_on_every_python_here(
    generate: Generate, prove: Prove, real_broker: Callable[[str], str], python: str
) -> None:
    broker = real_broker("redis")

    prove(generate(), python, TEST_BROKER_URL=broker)


def test_the_own_suite_needs_no_service_at_all(generate: Generate, workplace: Path) -> None:
    project = generate().rename(workplace / "service")
    install(project)

    output = run(project / ".venv/bin/pytest", cwd=project)

    assert " passed" in output
    assert "skipped" not in output


def test_the_sample_can_be_removed_as_the_readme_says(generate: Generate, prove: Prove) -> None:
    project = generate()
    install(project)
    shutil.rmtree(project / "src/app/reports")
    (project / "tests/test_reports.py").unlink()
    main = project / "src/app/main.py"
    lines = main.read_text().splitlines(keepends=True)
    main.write_text("".join(line for line in lines if "reports" not in line))
    with database(f"sample_{os.getpid()}_test") as url:
        with psycopg.connect(postgres_url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE sample_{os.getpid()}_test".encode())
        environment = {"DATABASE_URL": url, "BROKER_URL": "memory://", "SECRET_KEY": "x" * 32, "ENVIRONMENT": "test"}
        run(project / ".venv/bin/app", "migrate", cwd=project, **environment)
        words = ["revision", "--autogenerate", "-m", "drop reports"]
        run(project / ".venv/bin/alembic", *words, cwd=project, **environment)

    assert len(lines) - len(main.read_text().splitlines()) == 2
    prove(project)
