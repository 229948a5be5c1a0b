"""/dev/mail: what the outbox holds and how every template looks. In development only."""

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.errors import MessageError
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from fastapi.responses import HTMLResponse, Response

from groundwork.http.problem import NotFound
from groundwork.http.router import Router
from groundwork.mail.message import Message
from groundwork.mail.policy import READABLE
from groundwork.mail.rendering import example, names, render
from groundwork.settings import get_settings

__all__ = ["outbox_routes"]

outbox_routes = Router(prefix="/dev/mail", include_in_schema=False)

Kind = Literal["messages", "templates"]
View = Literal["html", "text", "headers", "source"]

LIST_LENGTH = 100
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
PAGE = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# The frame's own limits once more, for who opens the message outside of it. Its links may open tabs, nothing else.
MESSAGE = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src http: https: data:; form-action 'none'; frame-ancestors 'self'"
)
ATTACHMENT = "sandbox; default-src 'none'"
# A browser runs no script in these. Whatever else is attached is so many bytes.
HARMLESS = {"application/pdf", "image/gif", "image/jpeg", "image/png", "text/calendar", "text/csv", "text/plain"}
# What reading raises where a file is no message, and rendering where a value is not what its template expects.
UNREADABLE = (MessageError, LookupError, ValueError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Part:
    """What is neither the text nor the HTML: a file, or an image that the HTML shows by its content id."""

    name: str
    kind: str
    content: bytes
    content_id: str


@dataclass
class Opened:
    """A message as its page shows it; `broken` says why parts are missing."""

    source: str = ""
    broken: str = ""
    subject: str = ""
    to: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    text: str = ""
    html: str = ""
    attachments: list[Part] = field(default_factory=list)


def _open(content: bytes) -> Opened:
    opened = Opened(source=content.decode(errors="replace"))
    try:
        _read(message_from_bytes(content, policy=READABLE), opened)
    except UNREADABLE as error:
        opened.broken = f"This file is not a message that can be read: {error or type(error).__name__}"
    return opened


def _read(email: EmailMessage, opened: Opened) -> None:
    if missing := [name for name in ("From", "To", "Subject") if name not in email]:
        raise ValueError(f"it has no {', no '.join(missing)}.")
    opened.headers = [(name, str(value)) for name, value in email.items()]
    opened.subject, opened.to = str(email["Subject"]), str(email["To"])
    for defect in (defect for part in email.walk() for defect in part.defects):
        opened.broken = f"A part of this message cannot be read: {defect}"
    bodies = [email.get_body((kind,)) for kind in ("plain", "html")]
    opened.text, opened.html = ("" if body is None else str(body.get_content()) for body in bodies)
    others = (part for part in email.walk() if not part.is_multipart() and all(part is not body for body in bodies))
    for number, part in enumerate(others, 1):
        name, content = part.get_filename() or f"part-{number}", part.get_payload(decode=True)
        content_id = str(part.get("Content-ID", "")).strip("<> ")
        opened.attachments.append(Part(name, part.get_content_type(), bytes(content or b""), content_id))


def _preview(name: str, opened: Callable[[Message], Opened]) -> Opened:
    # Only now, here and below: in production nobody sees this page.
    from jinja2 import TemplateError

    try:
        return opened(render(name, "ada@example.org", **example(name)))
    except (TemplateError, OSError, *UNREADABLE) as error:
        return Opened(broken=f"This template cannot be rendered with its example: {type(error).__name__}: {error}")


def _files() -> list[Path]:
    """The outbox, newest first; of the catcher's messages we have none."""
    place = get_settings().mail_outbox
    files = [] if place.startswith("smtp://") else Path(place).glob("*.eml")
    return sorted(files, key=lambda file: (file.stat().st_mtime_ns, file.name), reverse=True)


def _find(kind: Kind, name: str) -> Opened:
    # Only what a list shows is opened: a name is never made into a path.
    if kind == "templates" and name in names():
        return _preview(name, lambda message: _open(message.as_email(f"preview-of-{name}").as_bytes()))
    for file in _files():
        if kind == "messages" and file.name == name:
            return _open(file.read_bytes())
    raise NotFound


@cache
def _pages() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(loader=PackageLoader("groundwork.mail", "pages"), autoescape=True, undefined=StrictUndefined)


def _page(template: str, /, **values: Any) -> HTMLResponse:
    html = _pages().get_template(template).render(project_name=get_settings().project_name, **values)
    return HTMLResponse(html, headers=HEADERS | {"Content-Security-Policy": PAGE})


@outbox_routes.get("")
def outbox() -> Response:
    files = _files()
    messages = [
        (file.name, datetime.fromtimestamp(file.stat().st_mtime), _open(file.read_bytes()))
        for file in files[:LIST_LENGTH]
    ]
    older = len(files) - len(messages)
    # The list shows no more of them, and to make an e-mail of each would take longer than to render it.
    templates = {name: _preview(name, lambda message: Opened(subject=message.subject)) for name in names()}
    place = get_settings().mail_outbox
    return _page("outbox.html", up="", messages=messages, older=older, place=place, templates=templates)


@outbox_routes.get("/style.css")
def style() -> Response:
    return Response(_pages().get_template("style.css").render(), media_type="text/css", headers=HEADERS)


@outbox_routes.get("/{kind}/{name}")
def message(kind: Kind, name: str, view: View = "html") -> Response:
    opened = _find(kind, name)
    if view == "html" and not opened.html:
        view = "text" if opened.text else "source"
    return _page("message.html", up="../../", kind=kind, name=name, view=view, opened=opened)


@outbox_routes.get("/{kind}/{name}/html")
def message_html(kind: Kind, name: str) -> Response:
    """What the frame shows. Its links open in a new tab, its own images are part of it."""
    opened, base = _find(kind, name), '<base target="_blank">'
    html, inserted = re.subn(r"<head\b[^>]*>", rf"\g<0>{base}", opened.html, count=1, flags=re.IGNORECASE)
    for part in opened.attachments:
        if part.content_id:
            inline = f"data:{part.kind};base64,{b64encode(part.content).decode()}"
            html = html.replace(f"cid:{part.content_id}", inline)
    return HTMLResponse(html if inserted else base + html, headers=HEADERS | {"Content-Security-Policy": MESSAGE})


@outbox_routes.get("/{kind}/{name}/attachments/{number}")
def attachment(kind: Kind, name: str, number: int) -> Response:
    attachments = _find(kind, name).attachments
    if not 1 <= number <= len(attachments):
        raise NotFound
    found = attachments[number - 1]
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name, safe='')}",
        "Content-Security-Policy": ATTACHMENT,
    }
    kind_of_content = found.kind if found.kind in HARMLESS else "application/octet-stream"
    return Response(found.content, media_type=kind_of_content, headers=HEADERS | headers)
