"""A message as its reader's program shows it."""

from email.message import EmailMessage
from typing import Any

from groundwork.mail.message import Address, Attachment, Message

__all__ = ["read_email"]


def read_email(email: EmailMessage) -> Message:
    """Bcc is no part of it."""
    text, html = email.get_body(("plain",)), email.get_body(("html",))
    assert text is not None
    assert html is not None
    return Message(
        sender=_addresses(email["From"])[0],
        to=_addresses(email["To"]),
        cc=_addresses(email["Cc"]),
        reply_to=_addresses(email["Reply-To"]),
        subject=email["Subject"],
        text=text.get_content().replace("\r\n", "\n"),
        html=html.get_content().replace("\r\n", "\n"),
        attachments=tuple(_attachment(part) for part in email.walk() if part.get_filename()),
        headers={name: str(value) for name, value in email.items() if name.startswith(("X-", "List-", "Auto-"))},
    )


def _addresses(header: Any) -> tuple[Address, ...]:
    return tuple(Address(one.addr_spec, one.display_name) for one in header.addresses) if header else ()


def _attachment(part: Any) -> Attachment:
    content_id = (part["Content-ID"] or "").strip("<>")
    return Attachment(part.get_filename(), part.get_content(), part.get_content_type(), content_id)
