"""An e-mail, independent of who carries it; checked when it is made."""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import headerregistry
from email.errors import HeaderParseError
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime

from email_validator import EmailNotValidError, validate_email

from groundwork.mail.policy import ENCODED, READABLE
from groundwork.settings import get_settings

__all__ = ["Address", "Attachment", "Message", "MessageInvalid", "list_unsubscribe"]

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
HEADER_VALUE = re.compile(r"[ -~]{1,900}")
# Those that say who, when and how are made from the message's other fields, or by who carries it.
RESERVED = re.compile(
    r"(from|sender|to|cc|bcc|reply-to|subject|date|message-id|return-path|mime-version|(content|dkim|received).*)"
)
# What each provider takes as a tag, and as the name or value of metadata.
LABEL = re.compile(r"[A-Za-z0-9_-]{1,20}")
VALUE = re.compile(r"[A-Za-z0-9_-]{1,80}")
TYPE = re.compile(r"[\w.+-]+/[\w.+-]+")
MAX_RECIPIENTS = 50
MAX_TAGS = 3
# Of text, HTML and attachments as they travel; most providers allow as much.
MAX_BYTES = 10 * 2**20


class MessageInvalid(ValueError):
    """The message could not be sent by every provider, or would smuggle in a header; one sentence says why."""


@dataclass(frozen=True)
class Address:
    """`Address("ada@example.org", "Ada Lovelace")`; an international domain becomes ASCII. Raises MessageInvalid."""

    email: str
    name: str = ""

    def __post_init__(self) -> None:
        _one_line("name", self.name)
        try:
            ascii_form = validate_email(self.email, check_deliverability=False).ascii_email
        except EmailNotValidError as error:
            raise MessageInvalid(f"{self.email!r} is not an address that mail can reach: {error}") from None
        if ascii_form is None:
            raise MessageInvalid(f"{self.email!r} has no ASCII form, which providers need.")
        # The standard library garbles international domains; providers want xn--... anyway.
        object.__setattr__(self, "email", ascii_form)

    def __str__(self) -> str:
        return str(self.as_header())

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Of `ada@example.org` or `Ada Lovelace <ada@example.org>`."""
        try:
            header = READABLE.header_factory("To", text)
            group, defects = header.addresses, header.defects
        except (HeaderParseError, IndexError, ValueError):
            group, defects = (), ()
        if len(group) != 1 or defects:
            raise MessageInvalid(f"{text!r} is not one address; write Ada Lovelace <ada@example.org>.")
        return cls(group[0].addr_spec, group[0].display_name)

    def as_header(self) -> headerregistry.Address:
        return headerregistry.Address(self.name, addr_spec=self.email)


@dataclass(frozen=True)
class Attachment:
    """A file of a message: its name, content and media type.

    With a `content_id`, such as "logo", it is an image that the HTML shows: `<img src="cid:logo">`. Raises MessageInvalid.
    """

    name: str
    content: bytes = field(repr=False)
    type: str = "application/octet-stream"
    content_id: str = ""

    def __post_init__(self) -> None:
        _one_line("file name", self.name)
        if not self.name or "/" in self.name or "\\" in self.name:
            raise MessageInvalid(f"{self.name!r} is no file name; use one such as invoice.pdf.")
        if not TYPE.fullmatch(self.type):
            raise MessageInvalid(f"{self.type!r} is no media type; use one such as application/pdf.")
        if self.content_id and not VALUE.fullmatch(self.content_id):
            raise MessageInvalid(f"The content id {self.content_id!r} has more than letters, digits, - and _.")

    @property
    def base64(self) -> str:
        return b64encode(self.content).decode()


@dataclass(frozen=True, kw_only=True)
class Message:
    """An e-mail with text and HTML, for up to 50 recipients; at most 10 MiB with its attachments.

    `sender` is MAIL_FROM by default. Tags and metadata are for the statistics of providers that have some. Raises
    MessageInvalid.
    """

    to: tuple[Address, ...]
    subject: str
    text: str
    html: str
    sender: Address = field(default_factory=lambda: Address.parse(get_settings().mail_from))
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _one_line("subject", self.subject)
        for problem in _problems(self):
            raise MessageInvalid(problem)

    def message_id(self, key: str) -> str:
        """Of our own domain."""
        return f"<{key}@{self.sender.email.rpartition('@')[2]}>"

    @property
    def recipients(self) -> tuple[Address, ...]:
        return (*self.to, *self.cc, *self.bcc)

    def as_bytes(self, key: str) -> bytes:
        """What any mail server takes: `as_email` with its bodies encoded where they are not plain ASCII."""
        return self.as_email(key, ENCODED).as_bytes(policy=READABLE)

    def as_email(self, key: str, body: "EmailPolicy[EmailMessage]" = READABLE) -> EmailMessage:
        """RFC 5322 without Bcc, whose Message-ID has the key, and a body that a person can read."""
        email = EmailMessage(policy=body)
        email["From"] = self.sender.as_header()
        for name, addresses in {"To": self.to, "Cc": self.cc, "Reply-To": self.reply_to}.items():
            if addresses:
                email[name] = tuple(address.as_header() for address in addresses)
        email["Subject"] = self.subject
        email["Date"] = format_datetime(datetime.now(UTC))
        email["Message-ID"] = self.message_id(key)
        for name, value in self.headers.items():
            email[name] = value
        email.set_content(self.text)
        email.add_alternative(self.html, subtype="html")
        html = email.get_body(("html",))
        for file in self.attachments:
            main, _, sub = file.type.partition("/")
            if file.content_id and html:
                cid = f"<{file.content_id}>"
                html.add_related(file.content, main, sub, filename=file.name, cid=cid, disposition="inline")
            else:
                email.add_attachment(file.content, main, sub, filename=file.name)
        return email


def list_unsubscribe(url: str) -> dict[str, str]:
    """The `headers` of a newsletter, for the unsubscribe button of mail programs, which sends POST to this https URL."""
    return {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def _one_line(what: str, text: str) -> None:
    if CONTROL.search(text):
        raise MessageInvalid(f"The {what} {text!r} has a control character; use one line of text.")


def _problems(message: Message) -> Iterator[str]:
    if not message.to:
        yield "The message has nobody in `to`; name at least one address."
    if len(message.recipients) > MAX_RECIPIENTS:
        yield f"The message has {len(message.recipients)} recipients, and most providers take {MAX_RECIPIENTS}; send several."
    if not message.text.strip() or not message.html.strip():
        yield "The message needs a text and an HTML body; some readers, and some providers, take only one of them."
    for name, value in message.headers.items():
        if not HEADER_NAME.fullmatch(name) or RESERVED.fullmatch(name.lower()):
            yield f"The header name {name!r} is not yours to set; use another, such as X-Campaign."
        if not HEADER_VALUE.fullmatch(value):
            yield f"The value {value!r} of {name} is not one line of ASCII text with at most 900 characters."
    if len(message.tags) > MAX_TAGS:
        yield f"The message has {len(message.tags)} tags, and providers take {MAX_TAGS}."
    for label in (*message.tags, *message.metadata):
        if not LABEL.fullmatch(label):
            yield f"{label!r} is no tag or name of metadata; use up to 20 letters, digits, - and _."
    for label in message.metadata.values():
        if not VALUE.fullmatch(label):
            yield f"The metadata {label!r} has more than 80 characters, or others than letters, digits, - and _."
    size = len(message.text.encode()) + len(message.html.encode())
    if (size := size + sum(len(file.content) * 4 // 3 for file in message.attachments)) > MAX_BYTES:
        yield f"The message has {size} bytes, and most providers take {MAX_BYTES}: send a link to what is large."
