"""What mailed links do: a row, which a request adds with the job that mails the link.

So whatever cancels links cancels those too that still wait to be mailed. The job makes the secret again from its id.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from app.accounts.models import Purpose, Registration, Token, User
from app.settings import get_settings
from groundwork.http import derived_secrets
from groundwork.jobs import Job

__all__ = ["to_change_email", "to_register", "to_reset"]


def to_register(job: Job, email: str, password_hash: str) -> Registration:
    lifetime = timedelta(hours=get_settings().verification_hours)
    return Registration(email=email, password_hash=password_hash, **_from_now(job, lifetime))


def to_reset(job: Job, email: str) -> Token:
    """Also for an address that nobody has: the time of the answer must not tell."""
    owner = select(User.id).where(User.email == email, User.deactivated_at.is_(None)).scalar_subquery()
    lifetime = timedelta(minutes=get_settings().password_reset_minutes)
    return Token(purpose=Purpose.RESET, user_id=owner, email=email, **_from_now(job, lifetime))


def to_change_email(job: Job, user_id: UUID, email: str) -> Token:
    lifetime = timedelta(hours=get_settings().verification_hours)
    return Token(purpose=Purpose.CHANGE_EMAIL, user_id=user_id, email=email, **_from_now(job, lifetime))


def _from_now(job: Job, lifetime: timedelta) -> dict[str, Any]:
    return {"hash": next(iter(derived_secrets(job.id))), "expires_at": func.now() + lifetime}
