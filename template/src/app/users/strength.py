"""Whether a thief would guess a password."""

from zxcvbn import zxcvbn

from app.settings import get_settings

__all__ = ["easily_guessed"]


def easily_guessed(password: str, email: str) -> str:
    """Why it would be found within a million tries, in a sentence, or nothing. Up to 50 ms of CPU: call it in a thread.

    It knows 30,000 common passwords, names, words, keyboards and dates, and that people add a year.
    """
    # The time grows fast with the length, and what comes after so many characters makes it no weaker.
    estimate = zxcvbn(password[:32], user_inputs=[email, *email.split("@"), get_settings().project_name])
    if estimate["score"] >= 2:
        return ""
    return str(estimate["feedback"]["warning"]) or "It is easily guessed."
