"""Keeps mail where a developer reads it: .eml files in a folder, or a catcher such as Mailpit."""

import os
import re
import smtplib
from pathlib import Path
from urllib.parse import urlsplit

from groundwork.mail.failures import TemporaryFailure
from groundwork.mail.message import Message
from groundwork.settings import get_settings

__all__ = ["send"]


def send(message: Message, idempotency_key: str) -> str:
    """The file's path, or the Message-ID in the catcher. Sending again replaces the file."""
    email = message.as_email(idempotency_key)
    place = get_settings().mail_outbox
    if place.startswith("smtp://"):
        catcher = urlsplit(place)
        try:
            with smtplib.SMTP(catcher.hostname or "", catcher.port or 1025, timeout=10) as connection:
                connection.send_message(email, to_addrs=[address.email for address in message.recipients])
        except (OSError, smtplib.SMTPException) as error:
            raise TemporaryFailure(f"MAIL_OUTBOX={place} does not answer: {error!r}") from error
        return str(email["Message-ID"])
    folder = Path(place)
    # Links in mail sign people in: nobody else on this machine may read it.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Job ids are in order of time, and so are the files.
    words = re.sub(r"[^a-z0-9]+", "-", message.subject.lower()).strip("-")
    file = folder / f"{idempotency_key}-{words[:40]}.eml"
    # Whoever looks meanwhile sees a whole message or none.
    part = file.with_suffix(".part")
    with open(part, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as written:
        written.write(email.as_bytes(policy=email.policy.clone(linesep="\n")))
    part.replace(file)
    return str(file)
