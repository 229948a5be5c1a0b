"""The axes, read from copier.yml: a new choice is tested the moment it exists."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).parent.parent.parent
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


def in_turn(answers: Answers, axes: dict[str, list[str]]) -> bool:
    """Say whether `ci`, which writes one file of commands, is what it is in its turn: one for each of the other answers."""
    turn = sum(axes[axis].index(choice) for axis, choice in answers.items() if axis != "ci")
    return answers["ci"] == axes["ci"][turn % len(axes["ci"])]


def _suites() -> list[Answers]:
    """Every combination that differs in what a suite reads."""
    suites = [answers for answers in COMBINATIONS if in_turn(answers, AXES)]
    # By what they install and the settings that every module reads, which the last axis decides: the next one then finds
    # an environment and a type cache that hardly change.
    return sorted(
        suites, key=lambda answers: [AXES[axis].index(answers[axis]) for axis in reversed(AXES) if axis != "ci"]
    )


SUITES = _suites()
# Each provider once, with the other choices in turn.
_each = len(SUITES) // len(AXES["email_provider"])
QUICK = [answers for number, answers in enumerate(SUITES) if number % _each == number // _each % _each]
# The machinery's suite runs for each broker and database, and a provider's once, with the other choices in turn.
GROUNDWORKS = [answers for answers in SUITES if answers["email_provider"] == DEFAULTS["email_provider"]]
PROVIDERS = QUICK


def label(answers: Answers) -> str:
    return "-".join(answers.values())


def parse_only(text: str) -> Answers:
    """`broker=redis,database=sync`; raises ValueError with one sentence."""
    only = {}
    for part in filter(None, text.split(",")):
        axis, _, choice = part.partition("=")
        if axis not in AXES:
            raise ValueError(f"--only {part!r}: there is no such question; choose from {', '.join(AXES)}.")
        if choice not in AXES[axis]:
            raise ValueError(f"--only {part!r}: {axis} has no such choice; choose from {', '.join(AXES[axis])}.")
        only[axis] = choice
    return only


def as_only(answers: Answers) -> str:
    return ",".join(f"{axis}={choice}" for axis, choice in answers.items())


def shards() -> list[str]:
    """What each of CI's machines selects: one broker and one database, and its providers."""
    axes = ("broker", "database")
    return [as_only(dict(zip(axes, values, strict=True))) for values in product(*(AXES[axis] for axis in axes))]


if __name__ == "__main__":
    # In the form of GitHub's outputs.
    print(f"shards={json.dumps(shards())}")
    print(f"default={as_only({axis: DEFAULTS[axis] for axis in AXES})}")
