"""Every combination of answers renders files that are right as they are."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
import yaml
from conftest import Generate

from combinations import COMBINATIONS, QUICK, TEMPLATE, Answers, label
from suite import Place, execute

# Templates that the service renders: of its mail, of the page that shows it, of those that its links open, of /admin.
# And what reads the settings of a template.
RENDERED_THERE = (
    "src/app/accounts/mail/",
    "src/app/accounts/pages/page.html",
    "src/app/admin/templates/",
    "src/groundwork/mail/templates/",
    "src/groundwork/mail/pages/",
    "src/groundwork/tools/template/releases.py",
)
SCHEMAS = {
    "compose.yaml": "vendor.compose-spec",
    ".github/workflows/ci.yml": "vendor.github-workflows",
    ".github/workflows/template-update.yml": "vendor.github-workflows",
    ".gitlab-ci.yml": "vendor.gitlab-ci",
    "renovate.json": "vendor.renovate",
}


def files(project: Path) -> list[Path]:
    return [path for path in sorted(project.rglob("*")) if path.is_file()]


# The quick layer takes each e-mail provider once.
ALL = [
    pytest.param(answers, id=label(answers), marks=[] if answers in QUICK else pytest.mark.slow)
    for answers in COMBINATIONS
]


@pytest.mark.parametrize("answers", ALL)
def test_fresh_output_is_clean(generate: Generate, answers: Answers) -> None:
    project = generate(**answers)

    for file in files(project):
        assert_whole(file.relative_to(project).as_posix(), file.read_text("utf-8"))
    for name, schema in SCHEMAS.items():
        if (project / name).exists():
            assert_valid(schema, (project / name).read_text())
    assert (project / "compose.yaml").exists()
    if answers in QUICK:
        # The other combinations run both with their own suites.
        execute("ruff", "format", "--check", "--no-cache", ".", cwd=project)
        execute("ruff", "check", "--no-cache", ".", cwd=project)


@cache
def assert_whole(name: str, text: str) -> None:
    """Most files are the same in most combinations."""
    assert "{" not in name, name
    if not name.startswith(RENDERED_THERE):
        # But the expressions of GitHub.
        assert not re.search(r"(?<!\$)\{[%#{]", text), f"{name} has leftover Jinja"
    assert not text or text.endswith("\n"), f"{name} does not end in a newline"
    assert not text.endswith("\n\n"), f"{name} ends in an empty line"
    assert "\r" not in text, name
    assert not name.endswith(".py") or len(text.splitlines()) <= 200, f"{name} is too long for a stranger"
    assert not re.search(r"[ \t]+$", text, re.MULTILINE), f"{name} has trailing spaces"
    match Path(name).suffix:
        case ".py":
            ast.parse(text)
        case ".toml":
            tomllib.loads(text)
        case ".yaml" | ".yml":
            yaml.safe_load(text)


@cache
def assert_valid(schema: str, text: str) -> None:
    """Few of them differ from one combination to the next, and starting the checker takes longest."""
    with NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        execute("check-jsonschema", "--builtin-schema", schema, file.name, cwd=TEMPLATE)


def test_the_templates_own_workflow_is_valid() -> None:
    assert_valid("vendor.github-workflows", (TEMPLATE / ".github/workflows/ci.yml").read_text())


def test_a_stranger_can_read_the_owners_storey(generate: Generate) -> None:
    project = generate()
    storey = [file for folder in ("src/app", "tests", "migrations") for file in (project / folder).rglob("*.py")]

    assert len(list((project / "src/app").iterdir())) <= 14
    assert sum(len(file.read_text().splitlines()) for file in storey) <= 5000


def test_the_guide_shows_what_is_there(generate: Generate) -> None:
    project = generate()
    guide = (project / "docs/guide.md").read_text()

    modules = {file.name for file in (project / "src/app").glob("*.py")} - {"__init__.py"}
    assert modules == {
        name for name in re.findall(r"\b(\w+\.py)\b", guide.partition("## The map")[2]) if name in modules
    }
    settings = [(project / f"src/{storey}/settings.py").read_text() for storey in ("app", "groundwork")]
    fields = [name for text in settings for name in re.findall(r"^    (\w+): .*", text, re.MULTILINE)]
    assert {name for name in fields if f"`{name.upper()}`" not in guide} == {"project_name"}


def test_nothing_of_the_project_before_stays_in_its_place(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for file in (before / "both/kept.py", before / "gone/x.py", after / "both/kept.py", after / "both/new/y.py"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(file.name)
    place = Place(tmp_path)
    for folder in ("both", "gone"):
        (place.put(before) / folder / "__pycache__").mkdir()

    project = place.put(after)

    left = {str(path.relative_to(project)) for path in project.rglob("*")}
    assert left == {"both", "both/__pycache__", "both/kept.py", "both/new", "both/new/y.py"}
