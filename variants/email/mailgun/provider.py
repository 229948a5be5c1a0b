"""Mail by Mailgun: https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages"""

import re
from typing import Any

import httpx2

from groundwork.mail import http_client as http
from groundwork.mail.failures import ProviderMisconfigured, QuotaExhausted
from groundwork.mail.message import Attachment, Message
from groundwork.settings import get_settings

__all__ = ["check", "send"]

# A field of the form: file name, content and media type; only files have the first and the last.
Field = tuple[str, tuple[str | None, bytes, str | None]]


def send(message: Message, idempotency_key: str) -> str:
    """Mailgun's id. It knows no keys: if its answer is lost, the next attempt sends the message again."""
    reply = _post(files=_form(message))
    if not reply.is_success:
        raise _failure(reply)
    # Its webhook knows the id without the brackets.
    return http.message_id("Mailgun", reply, idempotency_key, lambda answer: answer["id"].strip("<>"))


def check() -> str:
    """What `app doctor` says."""
    http.require("mailgun_api_key", "mailgun_domain")
    # A message without sender and recipient: a key that may only send is asked nothing else, and nothing is sent.
    reply = _post(data={"o:testmode": "yes"})
    if isinstance(failure := _failure(reply), ProviderMisconfigured):
        raise failure
    http.require_provider("Mailgun", reply)
    return f"Mailgun, {get_settings().mailgun_domain}"


def _post(**form: Any) -> httpx2.Response:
    settings = get_settings()
    url = f"{settings.mailgun_url}/v3/{settings.mailgun_domain}/messages"
    return http.post("Mailgun", url, auth=("api", settings.mailgun_api_key), **form)


def _form(message: Message) -> list[Field]:
    fields = {
        "from": str(message.sender),
        "to": ", ".join(map(str, message.to)),
        "cc": ", ".join(map(str, message.cc)),
        "bcc": ", ".join(map(str, message.bcc)),
        "h:Reply-To": ", ".join(map(str, message.reply_to)),
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        **{f"h:{name}": value for name, value in message.headers.items()},
        **{f"v:{name}": value for name, value in message.metadata.items()},
    }
    texts = [*fields.items(), *(("o:tag", tag) for tag in message.tags)]
    form: list[Field] = [(name, (None, text.encode(), None)) for name, text in texts if text]
    return form + [_file(file) for file in message.attachments]


def _file(file: Attachment) -> Field:
    if file.content_id:
        # The HTML finds an image by its file name.
        return ("inline", (file.content_id, file.content, file.type))
    return ("attachment", (file.name, file.content, file.type))


def _failure(reply: httpx2.Response) -> Exception:
    if wait := re.search(r"try again after (\d+) seconds", reply.text):
        return QuotaExhausted(http.said("Mailgun", reply), float(wait[1]))
    if reply.status_code == httpx2.codes.NOT_FOUND:
        hint = "Look at MAILGUN_DOMAIN, and at MAILGUN_URL: each region knows its own domains only."
        return ProviderMisconfigured(f"{http.said('Mailgun', reply)} {hint}")
    return http.failure("Mailgun", reply)
