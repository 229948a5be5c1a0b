"""Rules that keep the template readable."""

import re
from pathlib import Path

import pytest
import yaml

from combinations import AXES, DEFAULTS, TEMPLATE

CODE = sorted(path for path in (TEMPLATE / "template").rglob("*.py.jinja"))


@pytest.mark.parametrize("file", CODE, ids=lambda path: path.name)
def test_jinja_stays_out_of_python_functions(file: Path) -> None:
    lines = file.read_text("utf-8").splitlines()

    tags = [number for number, line in enumerate(lines) if "{%" in line]

    assert set(tags) <= {0, 1, len(lines) - 1}


def test_copying_needs_no_trust() -> None:
    settings = yaml.safe_load((TEMPLATE / "copier.yml").read_text())

    assert not {"_tasks", "_jinja_extensions", "_migrations"} & settings.keys()


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
