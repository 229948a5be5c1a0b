from email import message_from_bytes, policy
from pathlib import Path

import pytest
from conftest import Outbox
from jinja2 import UndefinedError

from app.mail import deliver
from app.mail.message import Message, MessageInvalid
from app.mail.render import render

TEMPLATES = Path(__file__).parent.parent / "src/app/mail/templates"
LINK = "https://example.org/?a=1&b=2#token=x"


@pytest.mark.parametrize("name", sorted(folder.name for folder in TEMPLATES.iterdir() if folder.is_dir()))
def test_every_message_has_a_subject_a_text_and_html_with_its_link(name: str) -> None:
    message = render(name, "ada@example.org", link=LINK, hours=24)

    assert message.subject
    assert LINK in message.text
    assert 'style="' in message.html
    assert LINK.replace("&", "&amp;") in message.html


def test_values_cannot_smuggle_html_into_a_message() -> None:
    message = render("welcome", "ada@example.org", link='"><script>alert(1)</script>')

    assert '"><script>' not in message.html


def test_a_forgotten_value_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="hours"):
        render("verify", "ada@example.org", link="https://example.org")


@pytest.mark.parametrize("subject", ["Hello\r\nBcc: eve@example.org", "Hello\n", "a\x00b", "a\u2028b"])
def test_a_subject_cannot_smuggle_in_a_header(subject: str) -> None:
    with pytest.raises(MessageInvalid, match="control character"):
        Message(to="ada@example.org", subject=subject, text="", html="")


@pytest.mark.parametrize("to", ["ada", "ada@example.org\nBcc: eve@example.org", "ada@example.org, eve@example.org", ""])
def test_an_address_is_one_address(to: str) -> None:
    with pytest.raises(MessageInvalid, match="not an address"):
        Message(to=to, subject="Hello", text="", html="")


def test_an_international_domain_is_sent_in_its_ascii_form() -> None:
    assert Message(to="ada@bücher.example.org", subject="", text="", html="").to == "ada@xn--bcher-kva.example.org"


def test_the_outbox_holds_files_that_a_person_can_read(outbox: Outbox) -> None:
    message = Message(
        to="ada@example.org", subject="Grüße 👋", text="Über https://example.org/?a=b\n", html="<p>Hi</p>"
    )

    file = Path(deliver(message, idempotency_key="0001"))
    deliver(message, idempotency_key="0001")

    assert len(outbox()) == 1
    assert "Über https://example.org/?a=b" in file.read_text()
    email = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert email["Subject"] == "Grüße 👋"
    assert email["To"] == "ada@example.org"
    assert email["Message-ID"] == "<0001@example.com>"
    assert email.get_body(("html",)) is not None
