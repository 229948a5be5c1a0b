"""What people may answer, and that their words arrive unharmed."""

import ast
import html
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from shlex import quote

import pytest
import yaml
from conftest import Generate
from copier import run_copy
from markdown_it import MarkdownIt
from pytest_copie.plugin import Copie

from combinations import ASKED, DEFAULTS, QUICK, TEMPLATE
from run_folder import RunFolder
from suite import UV, execute

TEXTS = ["project_name", "description", "author_name"]
CARRIED = [
    'Ada\'s "Shop"',
    "C:\\temp\\new",
    "key: value # not a comment",
    "{{ 7 * 7 }} {% raw %} {# #}",
    "<script>alert(1)</script> & co",
    "*bold* _it_ `code` [a](b) ~~x~~ | y",
    "Größe 🚀 日本語",
    "قهوة\u200f café",
    "'''\"\"\"",
    "$HOME ${HOME} %s %(x)s",
    "- item",
    "!tag &anchor *alias",
    "null",
    "1.0",
]
REFUSED = ["a\nb", "a\tb", "a\x00b", "a\x1b[31mb", "a\u2028b", "a\u202eb", "x" * 300]


def copy(destination: Path, **answers: str) -> subprocess.CompletedProcess[str]:
    """Copier's own command line, as people use it, without --trust."""
    data = [word for name, value in answers.items() for word in ("--data", f"{name}={value}")]
    command = [sys.executable, "-m", "copier", "copy", "--defaults", "--vcs-ref", "HEAD", *data, str(TEMPLATE)]
    return subprocess.run([*command, str(destination)], capture_output=True, text=True)


@pytest.mark.parametrize("text", CARRIED)
def test_a_hostile_text_is_carried_unharmed(generate: Generate, text: str) -> None:
    project = generate(project_name=text, description=text, author_name=text)

    pyproject = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    assert pyproject["project"]["description"] == text
    assert pyproject["project"]["authors"] == [{"name": text}]
    settings = ast.parse((project / "src/app/settings.py").read_text("utf-8"))
    names = [
        ast.literal_eval(node.value)
        for node in ast.walk(settings)
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "project_name" and node.value
    ]
    assert names == [text]
    assert yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))["project_name"] == text
    yaml.safe_load((project / "compose.yaml").read_text("utf-8"))
    readme = MarkdownIt("gfm-like", {"linkify": False}).render((project / "README.md").read_text("utf-8"))
    heading, paragraph = re.findall(r"<h1>(.*?)</h1>\n<p>(.*?)</p>", readme, re.DOTALL)[0]
    assert html.unescape(heading) == text
    assert html.unescape(paragraph) == text
    execute("ruff", "format", "--check", "--no-cache", ".", cwd=project)
    execute("ruff", "check", "--no-cache", ".", cwd=project)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("text", REFUSED, ids=ascii)
def test_a_text_that_no_file_could_carry_is_refused_in_one_sentence(copie: Copie, name: str, text: str) -> None:
    result = copie.copy(extra_answers={name: text})

    assert result.exception is not None
    [sentence] = [line for line in str(result.exception).splitlines() if "; try " in line]
    assert repr(text)[1:20] in sentence
    assert re.search(r"[^.]\.$", sentence)


@pytest.mark.parametrize(
    "email", ["ada", "ada@", "@example.org", "ada@example", "a b@example.org", "ada@example.org\n"]
)
def test_a_wrong_address_is_refused_with_a_right_one(copie: Copie, email: str) -> None:
    result = copie.copy(extra_answers={"author_email": email})

    assert f"{email!r} is not an e-mail address; try ada@example.org." in str(result.exception)


@pytest.mark.parametrize("name", ["", "   "])
def test_a_service_needs_a_name(copie: Copie, name: str) -> None:
    result = copie.copy(extra_answers={"project_name": name})

    assert f"{name!r} is no name; try Ticket Desk." in str(result.exception)


def test_authors_may_stay_unnamed(generate: Generate) -> None:
    nobody = tomllib.loads((generate() / "pyproject.toml").read_text())
    by_mail = tomllib.loads((generate(author_email="ada@example.org") / "pyproject.toml").read_text())

    assert "authors" not in nobody["project"]
    assert by_mail["project"]["authors"] == [{"email": "ada@example.org"}]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My Service", "my-service"),
        ("Celery", "celery-service"),
        ("قهوة", "my-service"),
        ("-A--b-", "a-b"),
        ("2026-11-27", "2026-11-27"),
    ],
)
def test_the_distribution_has_a_name_that_no_dependency_has(generate: Generate, name: str, slug: str) -> None:
    project = generate(project_name=name)

    assert tomllib.loads((project / "pyproject.toml").read_text())["project"]["name"] == slug
    # YAML has dates and numbers, and Compose wants a text.
    assert yaml.safe_load((project / "compose.yaml").read_text())["name"] == slug


@pytest.mark.parametrize("name", ["Email Validator", "python_multipart", "-Psycopg.Binary!", "markdown it Py"])
def test_a_name_that_a_dependency_has_is_refused(copie: Copie, name: str) -> None:
    result = copie.copy(extra_answers={"project_name": name})

    package = re.sub("[^a-z]+", "-", name.lower()).strip("-")
    says = f"{name!r} would name the package {package}, on which every service depends; try {name} Service."
    assert says in str(result.exception)


def test_every_dependency_of_every_service_is_known_to_the_question_for_its_name(
    generate: Generate, tmp_path: Path
) -> None:
    # All that any service installs in one environment: `uv lock` resolves for all platforms and versions of Python.
    projects = [tomllib.loads((generate(**answers) / "pyproject.toml").read_text("utf-8")) for answers in QUICK]
    wanted = {word for each in projects for word in each["project"]["dependencies"] + each["dependency-groups"]["dev"]}
    python = projects[0]["project"]["requires-python"]
    head = f'[project]\nname = "all"\nversion = "1"\nrequires-python = "{python}"\n'
    (tmp_path / "pyproject.toml").write_text(f"{head}dependencies = {sorted(wanted)}\n")
    execute(UV, "lock", "--quiet", "--python", sys.executable, cwd=tmp_path)

    locked = {package["name"] for package in tomllib.loads((tmp_path / "uv.lock").read_text())["package"]}

    known = re.findall(r"^ +'(.+)',$", (TEMPLATE / "macros/distributions.jinja").read_text(), re.MULTILINE)
    # A name of one word gets a second one. What is known and no longer installed harms nobody.
    unknown = sorted(name for name in locked - set(known) if "-" in name)
    assert unknown == [], f"add to macros/distributions.jinja: {unknown}"
    assert known == sorted(set(known))


@pytest.mark.parametrize("name", [name for name in ASKED if "choices" in ASKED[name]])
def test_an_unknown_choice_is_refused(copie: Copie, name: str) -> None:
    result = copie.copy(extra_answers={name: "kafka"})

    assert result.exception is not None
    assert "kafka" in str(result.exception)


def test_a_misspelt_question_is_an_error_in_these_tests(generate: Generate) -> None:
    with pytest.raises(AssertionError, match=r"copier\.yml asks no"):
        generate(databse="sync")


def test_every_question_explains_itself_and_has_a_default() -> None:
    for name, question in ASKED.items():
        assert len(question["help"]) > 20, name
        assert "default" in question, name


def test_the_command_line_copies_without_trust_and_shows_the_next_two_commands(tmp_path: Path) -> None:
    done = copy(tmp_path / "service", project_name="Shop")

    assert done.returncode == 0, done.stderr
    shown = [
        line.strip()
        for line in done.stderr.splitlines()
        if line.strip() and not re.match(r" *(create|identical) ", line)
    ]
    shown = [line for line in shown if not line.startswith(("Copying from template", "DirtyLocalWarning", "warn("))]
    assert shown[-2:] == [f"cd {tmp_path / 'service'}", "uv run app dev"]
    answers = yaml.safe_load((tmp_path / "service/.copier-answers.yml").read_text())
    assert {name: answers[name] for name in DEFAULTS} == DEFAULTS | {"project_name": "Shop"}


def test_after_a_copy_the_command_can_be_pasted_and_what_will_not_work_is_said(
    run_folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("copier._main.OS", "windows")
    # No git knows it, as where git refuses a folder of another user.
    template, service = run_folder.path / "template", tmp_path / "it's 100% (mine) & #1 + ñ"

    run_copy(str(template), service, defaults=True)

    shown = capsys.readouterr().err.splitlines()
    assert f"so no update can be merged into this service: git -C {template} log -1 says why; copy again." in "".join(
        shown
    )
    assert "On Windows, work in WSL 2: a service starts on Linux and macOS alone." in shown
    assert f"cd {quote(str(service))}" in shown


def test_a_refused_answer_writes_nothing(tmp_path: Path) -> None:
    done = copy(tmp_path / "service", author_email="nobody")

    assert done.returncode != 0
    assert not (tmp_path / "service").exists() or os.listdir(tmp_path / "service") == []
