"""`--only` and the shards of CI select by answer."""

import json
import subprocess
import sys

import pytest

from combinations import COMBINATIONS, GROUNDWORKS, PROVIDERS, SUITES, TEMPLATE, label, parse_only, shards


def collect(*words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-n0", "-q", "--collect-only", *words]
    done = subprocess.run(command, cwd=TEMPLATE, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_only_the_combinations_with_these_answers_are_tested() -> None:
    code, output = collect("--only", "broker=rabbitmq,database=sync")

    meant = {"broker": "rabbitmq", "database": "sync"}.items()
    assert code == 0
    names = [line.partition("::")[2] for line in output.splitlines() if "::" in line]
    expected = [f"test_fresh_output_is_clean[{label(one)}]" for one in COMBINATIONS if meant <= one.items()]
    rings = {"own": SUITES, "groundwork": GROUNDWORKS, "provider": PROVIDERS}
    for ring, suites in rings.items():
        expected += [f"test_the_{ring}_suite_passes[{label(one)}]" for one in suites if meant <= one.items()]
    assert names == expected


@pytest.mark.parametrize(
    ("only", "sentence"),
    [
        ("broker=kafka", "--only 'broker=kafka': broker has no such choice; choose from redis, rabbitmq."),
        ("databse=sync", "--only 'databse=sync': there is no such question; choose from broker, database,"),
        ("redis", "--only 'redis': there is no such question"),
    ],
)
def test_a_misspelt_answer_selects_nothing_and_says_so(only: str, sentence: str) -> None:
    code, output = collect("--only", only)

    assert code == 4
    assert f"ERROR: {sentence}" in output
    assert "Traceback" not in output


def test_the_shards_of_ci_hold_every_combination_once() -> None:
    done = subprocess.run(
        [sys.executable, "tests/harness/combinations.py"], cwd=TEMPLATE, capture_output=True, text=True
    )
    printed = dict(line.split("=", 1) for line in done.stdout.splitlines())

    assert json.loads(printed["shards"]) == shards()
    assert [one for one in SUITES if parse_only(printed["default"]).items() <= one.items()] == SUITES[:1]
    for combinations in (COMBINATIONS, SUITES):
        held = [one for shard in shards() for one in combinations if parse_only(shard).items() <= one.items()]
        assert sorted(map(label, held)) == sorted(map(label, combinations))
