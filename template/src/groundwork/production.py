"""What keeps a process from starting in production."""

from collections.abc import Iterable, Iterator
from typing import Any

from groundwork.urls import libpq_arguments, passwords_of

__all__ = ["unsafe"]

# Passwords of examples, in these files and elsewhere.
SAMPLES = {"app", "changeme", "guest", "password", "postgres", "redis", "secret"}


def unsafe(settings: Any, names: Iterable[str]) -> Iterator[str]:
    """What is unsafe in the Settings of a process, a sentence each. `names` are those of the groundwork's own settings."""
    if settings.broker_url.startswith("memory:"):
        yield "BROKER_URL=memory:// is for development only"
    for name in ("secret_key", "secret_key_previous"):
        if 0 < len(set(getattr(settings, name) or "")) < 10:
            yield f"{name.upper()} repeats a few characters; make one with `openssl rand -hex 32`"
    for name in () if settings.mail_dry_run else names:
        if name.endswith(("_key", "_token")) and "webhook" not in name and getattr(settings, name) == "":
            yield f"{name.upper()} is not set, and no mail leaves without it; set it, or MAIL_DRY_RUN=true"
    passwords = {"broker_url": passwords_of(settings.broker_url)}
    for name in ("database_url", "direct_database_url"):
        if url := getattr(settings, name):
            passwords[name] = {libpq_arguments(url).get("password", "")}
    for name, used in passwords.items():
        if SAMPLES & used:
            yield f"{name.upper()} has the password of an example; choose another one"
    if settings.public_url.scheme != "https" and settings.public_url.host not in {"localhost", "127.0.0.1", "[::1]"}:
        yield f"PUBLIC_URL={settings.public_url} is not https, and passwords travel there"
