"""The axes, read from copier.yml: a new choice is tested the moment it exists."""

from itertools import product
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).parent.parent
Answers = dict[str, str]

_questions: dict[str, Any] = {
    name: question
    for name, question in yaml.safe_load((TEMPLATE / "copier.yml").read_text()).items()
    if not name.startswith("_")
}

# Questions that people answer; the others are computed.
ASKED = {name: question for name, question in _questions.items() if question.get("when", True)}
AXES: dict[str, list[str]] = {
    name: list(question["choices"].values()) for name, question in ASKED.items() if "choices" in question
}
DEFAULTS: Answers = {name: question["default"] for name, question in ASKED.items()}
COMBINATIONS: list[Answers] = [dict(zip(AXES, values, strict=True)) for values in product(*AXES.values())]


def label(answers: Answers) -> str:
    return "-".join(answers.values())


def covering(*axes: str) -> list[Answers]:
    """Every combination of these axes; the other axes take their choices in turn."""
    combinations = []
    for turn, values in enumerate(product(*(AXES[axis] for axis in axes))):
        rest = {axis: choices[turn % len(choices)] for axis, choices in AXES.items()}
        combinations.append(rest | dict(zip(axes, values, strict=True)))
    return combinations
