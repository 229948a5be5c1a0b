"""Rules that keep the template readable."""

import re
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from combinations import AXES, DEFAULTS, TEMPLATE

CODE = sorted(path for path in (TEMPLATE / "template").rglob("*.py.jinja"))


@pytest.mark.parametrize("file", CODE, ids=lambda path: path.name)
def test_jinja_stays_out_of_python_functions(file: Path) -> None:
    lines = file.read_text("utf-8").splitlines()

    tags = [number for number, line in enumerate(lines) if "{%" in line]

    assert set(tags) <= {0, 1, len(lines) - 1}


WAITS_FOR_NOTHING = "# It waits for nothing, so it needs no thread.\n"


@pytest.mark.parametrize("file", CODE, ids=lambda path: path.name)
def test_what_stays_a_coroutine_in_both_colours_waits_for_nothing(file: Path) -> None:
    for part in file.read_text("utf-8").split(WAITS_FOR_NOTHING)[1:]:
        function = re.match(r"async def .*\n(?:(?: +|\)).*\n|\n)*", part)

        # As macros/colour.jinja finds it: at column 0, and below the comment.
        assert function
        assert "await " not in function[0]


def test_copying_needs_no_trust_and_an_update_none_but_across_the_release_that_renames() -> None:
    settings = yaml.safe_load((TEMPLATE / "copier.yml").read_text())

    assert not {"_tasks", "_jinja_extensions"} & settings.keys()
    for migration in settings.get("_migrations", []):
        assert str(Version(migration["version"])) == migration["version"]
        # Copier stumbles over some words in a command that is one string.
        assert isinstance(migration["command"], list)


def test_our_migrations_follow_each_other_whatever_a_service_has_beside_them() -> None:
    files = sorted((TEMPLATE / "template/migrations/versions").glob("*.py"))

    for number, file in enumerate(files, 1):
        follows = f'"{number - 1:04}"' if number > 1 else "None"
        text = file.read_text()
        assert file.name.startswith(f"{number:04}_")
        assert f'\nrevision: str = "{number:04}"\n' in text
        assert re.search(rf"^down_revision: str \| None = {follows}$", text, re.MULTILINE)
        # The sample may be gone where it arrives.
        assert number <= 2 or "reports" not in text


CONDITION = re.compile(r"^- `([^`]*)`: ", re.MULTILINE)


def test_the_conditions_of_the_changelog_name_answers_that_there_are() -> None:
    for condition in CONDITION.findall((TEMPLATE / "CHANGELOG.md").read_text()):
        for part in condition.split(","):
            axis, _, choices = part.strip().partition("=")
            assert set(choices.split("|")) <= set(AXES.get(axis, [])), condition


def test_every_choice_has_its_variant() -> None:
    for axis, folder in {"broker": "broker", "database": "database", "email_provider": "email"}.items():
        there = {re.split(r"[.-]", path.name)[0] for path in (TEMPLATE / "variants" / folder).iterdir()}
        assert there == set(AXES[axis])


def test_the_defaults_of_the_choices_never_change() -> None:
    assert {name: DEFAULTS[name] for name in AXES} == {
        "broker": "redis",
        "database": "async",
        "email_provider": "outbox",
        "ci": "github",
    }


def test_an_orchestrator_waits_longer_than_the_api_does_for_its_clients() -> None:
    seconds = re.search(r'"--timeout-graceful-shutdown", "(\d+)"', (TEMPLATE / "template/Dockerfile").read_text())
    period = re.search(
        r"  api:\n(?:    .*\n)*?    stop_grace_period: (\d+)s", (TEMPLATE / "template/compose.yaml.jinja").read_text()
    )

    assert seconds
    assert period
    assert int(period[1]) > int(seconds[1])


@pytest.mark.parametrize("file", ["Dockerfile", "src/groundwork/tools/dev.py"])
def test_the_api_is_started_with_bounds(file: str) -> None:
    words = (TEMPLATE / "template" / file).read_text()

    # For the heads of requests; and sockets take next to nothing from their clients.
    assert '"--http", "groundwork.server:Protocol", "--ws-max-size", "1024"' in words


def test_only_one_service_of_compose_builds_the_image() -> None:
    """Several that make the same one at a time fail where Compose builds with Bake."""
    assert (TEMPLATE / "template/compose.yaml.jinja").read_text().count("    build:") == 1
