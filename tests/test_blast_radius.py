"""An answer changes these files and no others. Where a change breaks this list, change it on purpose."""

from pathlib import Path

import pytest

from combinations import AXES
from conftest import Generate

ANSWERS = ".copier-answers.yml"
COLOURED = {
    f"src/app/{name}.py"
    for name in (
        "admin/routes",
        "deliveries/routes",
        "deliveries/service",
        "jobs/routes",
        "jobs/service",
        "reports/routes",
        "reports/service",
        "audit/routes",
        "limits/throttle",
        "sign_ins/routes",
        "sign_ins/service",
        "users/admin_routes",
        "users/auth",
        "users/link_routes",
        "users/routes",
        "users/service",
    )
}
PROVIDER = {
    ".env.example",
    "docs/guide.md",
    "pyproject.toml",
    "src/app/mail/provider.py",
    "src/app/mail/webhook.py",
    "src/app/settings.py",
    "tests/provider_api.py",
    "tests/provider_schema.json",
    "tests/test_provider.py",
    "tests/test_provider_failures.py",
}
# Of providers with an API over HTTP; SMTP has neither the client nor a webhook, and SES has boto3.
WEBHOOK = {"tests/test_provider_key.py", "tests/test_webhook_contract.py"}
CLIENT = {"src/app/mail/http.py"}
WORKFLOWS = {".github/workflows/ci.yml", ".github/workflows/template-update.yml"}

RADIUS = {
    ("project_name", "Shop"): {"README.md", "compose.yaml", "pyproject.toml", "src/app/settings.py"},
    ("description", "Sells tickets."): {"README.md", "pyproject.toml"},
    ("author_name", "Ada"): {"pyproject.toml"},
    ("author_email", "ada@example.org"): {"pyproject.toml"},
    ("broker", "rabbitmq"): {
        ".env.example",
        ".github/workflows/ci.yml",
        "compose.yaml",
        "docs/guide.md",
        "pyproject.toml",
        "src/app/broker.py",
    },
    ("database", "sync"): {"docs/guide.md", "pyproject.toml", "src/app/session.py"} | COLOURED,
    ("email_provider", "smtp"): PROVIDER,
    **{
        ("email_provider", name): PROVIDER | WEBHOOK | (set() if name == "ses" else CLIENT)
        for name in AXES["email_provider"]
        if name not in {"outbox", "smtp"}
    },
    ("ci", "gitlab"): WORKFLOWS | {".gitlab-ci.yml", "docs/guide.md"},
    ("ci", "none"): WORKFLOWS | {"docs/guide.md", "renovate.json"},
}


def contents(project: Path) -> dict[str, bytes]:
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in project.rglob("*") if path.is_file()}


@pytest.mark.parametrize("answer", RADIUS, ids="=".join)
def test_an_answer_changes_exactly_these_files(generate: Generate, answer: tuple[str, str]) -> None:
    name, value = answer
    before, after = contents(generate()), contents(generate(**{name: value}))

    changed = {file for file in before | after if before.get(file) != after.get(file)}

    assert changed == RADIUS[answer] | {ANSWERS}
