"""Keeps mail where a developer reads it: .eml files in a folder, or a catcher such as Mailpit."""

import os
import re
import smtplib
from pathlib import Path
from urllib.parse import urlsplit

from groundwork.mail.failures import ProviderMisconfigured, TemporaryFailure
from groundwork.mail.message import Address, Message
from groundwork.settings import get_settings
from groundwork.urls import place_of

__all__ = ["check", "send"]


def send(message: Message, idempotency_key: str) -> str:
    """The file's path, or the Message-ID in the catcher. Sending again replaces the file."""
    email = message.as_email(idempotency_key)
    place = get_settings().mail_outbox
    if place.startswith("smtp://"):
        try:
            with _catcher(place) as connection:
                connection.send_message(email, to_addrs=[address.email for address in message.recipients])
        except (OSError, smtplib.SMTPException) as error:
            raise TemporaryFailure(f"MAIL_OUTBOX={place_of(place)} does not answer: {error!r}") from error
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


def check() -> str:
    """What `app doctor` says: where mail is kept; raises ProviderMisconfigured where it cannot be."""
    place = get_settings().mail_outbox
    shown = place_of(place)
    if place.startswith("smtp://"):
        try:
            with _catcher(place) as connection:
                connection.ehlo()
        except (OSError, smtplib.SMTPException) as error:
            raise ProviderMisconfigured(f"MAIL_OUTBOX={shown} does not answer: {error}") from None
        return f"kept in {shown}"
    folder = Path(place)
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.exists(path))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ProviderMisconfigured(f"MAIL_OUTBOX={place}: {there} is not a folder to which this user may write.")
    return f"kept in {shown}"


def _catcher(place: str) -> smtplib.SMTP:
    """It hears the domain of MAIL_FROM as our name: that of this machine may take long to find."""
    url, ours = urlsplit(place), Address.parse(get_settings().mail_from).email.rpartition("@")[2]
    return smtplib.SMTP(url.hostname or "", url.port or 1025, local_hostname=ours, timeout=10)
