"""An e-mail, independent of who carries it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from email_validator import EmailNotValidError, validate_email

from app.settings import get_settings

__all__ = ["Message", "MessageInvalid"]

# Up to the longest line that SMTP allows nothing is wrapped or encoded: a link stays a link.
READABLE = policy.SMTP.clone(max_line_length=998)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class MessageInvalid(ValueError):
    """The message could never be sent, or would smuggle in a header."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """Checked when it is made: one recipient, a one-line subject, text and HTML."""

    to: str
    subject: str
    text: str
    html: str

    def __post_init__(self) -> None:
        if CONTROL.search(self.subject):
            raise MessageInvalid(f"The subject {self.subject!r} has a control character; use one line of text.")
        try:
            address = validate_email(self.to, check_deliverability=False).ascii_email
        except EmailNotValidError as error:
            raise MessageInvalid(f"{self.to!r} is not an address that mail can reach: {error}") from None
        if address is None:
            raise MessageInvalid(f"{self.to!r} has no ASCII form, which providers need.")
        # The standard library garbles international domains; providers want xn--... anyway.
        object.__setattr__(self, "to", address)

    def as_email(self, message_id: str) -> EmailMessage:
        """RFC 5322, with our own domain in the Message-ID, and a body that a person can read."""
        sender = get_settings().mail_from
        email = EmailMessage(policy=READABLE)
        email["From"] = sender
        email["To"] = Address(addr_spec=self.to)
        email["Subject"] = self.subject
        email["Date"] = format_datetime(datetime.now(UTC))
        email["Message-ID"] = f"<{message_id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
        email.set_content(self.text)
        email.add_alternative(self.html, subtype="html")
        return email
