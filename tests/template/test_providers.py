"""An e-mail provider is one folder and one line in copier.yml; nothing else knows that it exists."""

import json
import re
from pathlib import Path

import pytest

from combinations import AXES, TEMPLATE

FOLDERS = TEMPLATE / "variants/email"
REQUIRED = {"provider.py", "webhook.py", "api.py", "schema.json", "test_provider.py"}
ALLOWED = REQUIRED | {
    "settings.py",
    "settings.md",
    "env",
    "dependencies.toml",
    "dev-dependencies.toml",
    "test-requirements.txt",
}
# No provider's names, but words of their own: "kept in the outbox", "an SMTP server". Nor do they take JSON of ours.
WORDS = {"outbox", "smtp", "ses"}


@pytest.mark.parametrize("provider", AXES["email_provider"])
def test_a_folder_has_what_a_provider_needs(provider: str) -> None:
    files = {file.name for file in (FOLDERS / provider).iterdir()}

    assert REQUIRED <= files <= ALLOWED


@pytest.mark.parametrize("provider", AXES["email_provider"])
def test_a_schema_says_where_it_is_from_or_why_there_is_none(provider: str) -> None:
    schema = json.loads((FOLDERS / provider / "schema.json").read_text())

    assert schema["$comment"]
    # Nothing may be sent that the provider does not know.
    closed = schema.get("additionalProperties", schema.get("unevaluatedProperties"))
    assert closed is False or provider in WORDS


@pytest.mark.parametrize("provider", sorted(set(AXES["email_provider"]) - WORDS))
def test_nothing_else_knows_it(provider: str) -> None:
    name = re.compile(rf"\b{provider}\b", re.IGNORECASE)
    everything = [path for folder in ("template", "macros", "hooks") for path in (TEMPLATE / folder).rglob("*")]

    assert [path for path in everything if path.is_file() and name.search(_text(path))] == []


def _text(path: Path) -> str:
    return path.read_text("utf-8", "replace")
