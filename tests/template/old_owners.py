"""What owners did to services of release 0.3.0, when everything was in `app`: features, edits and deletions."""

import re
import shutil
from pathlib import Path

from suite import execute

__all__ = ["EDITED", "add_a_feature", "add_files", "change_the_style", "delete_features", "edit_modules", "tidy"]

# Modules that release 0.4.0 moved.
EDITED = {
    "src/app/client.py": "src/groundwork/http/client.py",
    "src/app/deliveries/service.py": "src/groundwork/mail/service.py",
    "src/app/etag.py": "src/groundwork/http/etag.py",
    "src/app/jobs/enqueue.py": "src/groundwork/jobs/enqueueing.py",
    "src/app/jobs/transitions.py": "src/groundwork/jobs/transitions.py",
    "src/app/limits/throttle.py": "src/groundwork/http/throttle.py",
    "src/app/mail/policy.py": "src/groundwork/mail/policy.py",
    "src/app/mail/message.py": "src/groundwork/mail/message.py",
    "src/app/users/service.py": "src/app/accounts/service.py",
}
FEATURE = {
    "src/app/tickets/__init__.py": "",
    "src/app/tickets/models.py": """from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, primary_key
from app.users.models import User


class Ticket(Base):
    __tablename__ = "tickets"

    id: Mapped[UUID] = primary_key()
    owner_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
""",
    "src/app/tickets/tasks.py": """from uuid import UUID

import app.jobs.enqueue
import app.realtime as live
from app import db, errors, mail
from app.jobs import enqueue as enqueueing
from app.jobs.runner import JobTask, RunningJob
from app.mail.render import render
from app.tickets.models import Ticket
from app.users.models import User
from app.worker import celery

from ..jobs import runner
from ..settings import get_settings


@celery.task(base=JobTask)
def remind(job: RunningJob, user_id: UUID) -> None:
    user = job.session.get(User, user_id)
    if user is None:
        raise errors.NotFound
    message = render("reminder", to=user.email, link=get_settings().public_url)
    mail.deliver(message, idempotency_key=str(job.id))
    job.session.add(Ticket(owner_id=user.id))


NAMES = (app.jobs.enqueue.enqueue, enqueueing.enqueue, runner.JobTask, db.Base, live.Hub)
""",
    "scripts/relay.sh": "#!/bin/sh\n# See src/app/jobs/relay.py.\nexec uv run python -m app.jobs.relay\n",
    "tests/test_tickets.py": """from unittest.mock import patch

import pytest
from conftest import SignInAs, add_verified
from job_fixtures import RunJob
from mail_fixtures import Outbox
from sqlalchemy.orm import Session

from app.jobs.enqueue import enqueue
from app.tickets.tasks import NAMES, remind
from app.users.models import User


def test_a_reminder_is_mailed(session: Session, user: User, run_job: RunJob, outbox: Outbox) -> None:
    job = enqueue(session, remind, user_id=user.id)
    session.commit()

    run_job(job)

    assert [message["to"] for message in outbox()] == [user.email]


def test_names(session: Session, sign_in: SignInAs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.mail.provider.send", lambda *_: "id")
    with patch("app.users.tasks.deliver"):
        add_verified(session, "bob@example.org")

    assert sign_in("bob@example.org")
    assert all(NAMES)
""",
    "migrations/versions/20261201_tickets.py": '''"""Tickets"""

import sqlalchemy as sa
from alembic import op

revision: str = "b1b2c3d4e5f6"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "tickets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="tickets_pkey"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="tickets_owner_id_fkey", ondelete="CASCADE"),
    )
    op.create_index("tickets_owner_id_idx", "tickets", ["owner_id"])


def downgrade() -> None:
    op.drop_table("tickets")
''',
}
# In folders that moved.
FILES = {
    "src/app/users/avatars.py": """from app.jobs.enqueue import enqueue
from app.users.models import User


def avatar(user: User) -> str:
    return f"{user.id}{enqueue.__name__}"
""",
    "src/app/jobs/weekly.py": """from app.jobs.models import Job
from app.users.avatars import avatar


def weekly(job: Job) -> str:
    return f"{job.id}{avatar.__name__}"
""",
    "tests/test_own.py": """from app.jobs import weekly as module
from app.jobs.weekly import weekly


def test_own() -> None:
    assert weekly is module.weekly
""",
}


def add_a_feature(service: Path) -> None:
    """One that imports in every form, with a mail, a script, and tests that name modules in strings."""
    _write(service, FEATURE)
    templates = service / "src/app/mail/templates"
    shutil.copytree(templates / "welcome", templates / "reminder")


def add_files(service: Path) -> None:
    _write(service, FILES)


def edit_modules(service: Path) -> None:
    """A comment above the first definition, and a function at the end."""
    for name in EDITED:
        file = service / name
        text = re.sub(r"^(?=@|class |def |async def )", "# Ours.\n", file.read_text(), count=1, flags=re.MULTILINE)
        file.write_text(f"{text}\n\ndef ours() -> None: ...\n")


def delete_features(service: Path) -> None:
    """The sample, the page and the administrators' page, as the guide says."""
    for folder in ("reports", "web", "admin"):
        shutil.rmtree(service / "src/app" / folder)
    for name in ("reports", "web", "admin_page"):
        (service / f"tests/test_{name}.py").unlink()
    _without(service / "src/app/main.py", r"\b(reports|web|admin_page)\b")
    _without(service / "tests/test_authorization.py", r"/reports\b")
    _without(service / "pyproject.toml", r'"(sqladmin|greenlet)>')


def change_the_style(service: Path) -> None:
    """88 columns and single quotes."""
    file = service / "pyproject.toml"
    text = file.read_text().replace("line-length = 120", "line-length = 88")
    file.write_text(
        text.replace("[tool.ruff.lint]", '[tool.ruff.format]\nquote-style = "single"\n\n[tool.ruff.lint]', 1)
    )
    tidy(service)


def tidy(service: Path) -> None:
    execute("ruff", "check", "--quiet", "--fix", "--exit-zero", "--no-cache", ".", cwd=service)
    execute("ruff", "format", "--quiet", "--no-cache", ".", cwd=service)


def _write(service: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (service / name).parent.mkdir(parents=True, exist_ok=True)
        (service / name).write_text(text)


def _without(file: Path, pattern: str) -> None:
    file.write_text("".join(line for line in file.read_text().splitlines(True) if not re.search(pattern, line)))
