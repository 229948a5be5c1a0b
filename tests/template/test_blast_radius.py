"""An answer changes these files and no others. Where a change breaks this list, change it on purpose."""

from pathlib import Path

import pytest
from conftest import Generate

from combinations import AXES

ANSWERS = ".copier-answers.yml"
COLOURED = {
    f"src/{name}.py"
    for name in (
        "app/accounts/auth",
        "app/accounts/routes/admin",
        "app/accounts/routes/audit",
        "app/accounts/routes/links",
        "app/accounts/routes/sign_ins",
        "app/accounts/routes/users",
        "app/accounts/service",
        "app/accounts/sign_ins",
        "app/admin/routes",
        "app/reports/routes",
        "app/reports/service",
        "groundwork/data/request_session",
        "groundwork/http/throttle",
        "groundwork/jobs/routes",
        "groundwork/jobs/service",
        "groundwork/mail/routes",
        "groundwork/mail/service",
    )
}
PROVIDER = {
    ".env.example",
    "docs/guide.md",
    "src/groundwork/mail/provider.py",
    "src/groundwork/mail/webhook.py",
    "src/groundwork/settings.py",
}
# Of providers with an API over HTTP; SES has boto3.
CLIENT = {"pyproject.toml", "src/groundwork/mail/http_client.py"}
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
        "docs/limits.md",
        "docs/servers.md",
        "pyproject.toml",
        "src/groundwork/broker.py",
        "src/groundwork/tools/broker_check.py",
    },
    ("database", "sync"): {"docs/guide.md", "docs/limits.md", "docs/servers.md", "pyproject.toml"} | COLOURED,
    ("email_provider", "smtp"): PROVIDER,
    **{
        ("email_provider", name): PROVIDER | ({"pyproject.toml"} if name == "ses" else CLIENT)
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
