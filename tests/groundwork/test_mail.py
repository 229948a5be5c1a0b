from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from groundwork.mail import provider
from groundwork.mail.delivery import deliver
from groundwork.mail.message import Address, Attachment, Message, MessageInvalid
from groundwork.settings import get_settings
from groundwork.testing import Outbox

ADA = Address("ada@example.org")


def message(**different: Any) -> Message:
    return Message(**{"to": (ADA,), "subject": "Hello", "text": "Hi", "html": "<p>Hi</p>"} | different)


@pytest.mark.parametrize("subject", ["Hello\r\nBcc: eve@example.org", "Hello\n", "a\x00b", "a\u2028b"])
def test_a_subject_cannot_smuggle_in_a_header(subject: str) -> None:
    with pytest.raises(MessageInvalid, match="control character"):
        message(subject=subject)


@pytest.mark.parametrize("to", ["ada", "ada@example.org\nBcc: eve@example.org", "ada@example.org, eve@example.org", ""])
def test_an_address_is_one_address(to: str) -> None:
    with pytest.raises(MessageInvalid, match="not an address"):
        Address(to)


def test_an_international_domain_is_sent_in_its_ascii_form() -> None:
    assert Address("ada@bücher.example.org").email == "ada@xn--bcher-kva.example.org"


def test_nobody_else_on_the_machine_reads_the_outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "mail_outbox", str(tmp_path / "new" / "outbox"))

    file = Path(deliver(message(), idempotency_key="0001"))

    assert [path.stat().st_mode & 0o777 for path in (file, file.parent)] == [0o600, 0o700]


def test_the_outbox_holds_files_that_a_person_can_read(outbox: Outbox) -> None:
    mail = message(subject="Grüße 👋", text="Über https://example.org/?a=b\n")

    file = Path(deliver(mail, idempotency_key="0001"))
    deliver(mail, idempotency_key="0001")

    assert len(outbox()) == 1
    assert "Über https://example.org/?a=b" in file.read_text()
    email = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert email["Subject"] == "Grüße 👋"
    assert email["To"] == "ada@example.org"
    assert email["Message-ID"] == "<0001@example.com>"
    assert email.get_body(("html",)) is not None


def test_a_message_says_that_no_person_wrote_it_unless_it_says_something_else(outbox: Outbox) -> None:
    deliver(message(), idempotency_key="0001")
    deliver(message(headers={"auto-submitted": "auto-notified"}), idempotency_key="0002")

    assert [mail.get_all("Auto-Submitted") for mail in outbox()] == [["auto-generated"], ["auto-notified"]]


@pytest.mark.parametrize(
    ("different", "says"),
    [
        ({"to": ()}, "nobody"),
        ({"bcc": (ADA,) * 50}, "51 recipients"),
        ({"text": " "}, "text and an HTML body"),
        ({"headers": {"Bcc": "eve@example.org"}}, "'Bcc' is not yours"),
        ({"headers": {"X-A:\r\nBcc": "eve@example.org"}}, "not yours"),
        ({"headers": {"X-A": "a\r\nBcc: eve@example.org"}}, "not one line"),
        ({"headers": {"Content-Type": "text/plain"}}, "not yours"),
        ({"tags": ("a", "b", "c", "d")}, "4 tags"),
        ({"tags": ("first week",)}, "'first week' is no tag"),
        ({"metadata": {"order": "2030/1"}}, "'2030/1'"),
        ({"attachments": (Attachment("film.mp4", bytes(8 * 2**20)),)}, "send a link"),
    ],
)
def test_what_some_provider_would_refuse_is_refused_here_in_one_sentence(different: dict[str, Any], says: str) -> None:
    with pytest.raises(MessageInvalid, match=says):
        message(**different)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": "a\nb.pdf"}, "control character"),
        ({"name": "../../etc/passwd"}, "no file name"),
        ({"type": "text/html; charset=utf-8"}, "no media type"),
        ({"content_id": "a b>"}, "content id"),
    ],
)
def test_a_file_has_a_name_and_a_type(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(MessageInvalid, match=says):
        Attachment(**{"name": "a.pdf", "content": b""} | wrong)


def test_a_name_cannot_smuggle_in_a_header() -> None:
    with pytest.raises(MessageInvalid, match="control character"):
        Address("ada@example.org", "Ada\r\nBcc: eve@example.org")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ada@example.org", ADA),
        ("My Service <ada@example.org>", Address("ada@example.org", "My Service")),
        ('"Ada, Countess" <ada@example.org>', Address("ada@example.org", "Ada, Countess")),
    ],
)
def test_an_address_is_read_as_people_write_it(text: str, address: Address) -> None:
    assert Address.parse(text) == Address.parse(str(address)) == address


@pytest.mark.parametrize("text", ["", "ada", "ada@example.org, eve@example.org", "Ada <ada@example.org"])
def test_what_is_not_one_address_is_refused(text: str) -> None:
    with pytest.raises(MessageInvalid):
        Address.parse(text)


@pytest.mark.parametrize(
    ("environment", "only_to", "leaves"),
    [
        ("development", "", False),
        ("development", "ada@example.org", True),
        ("development", "eve@example.org, @example.org", True),
        ("development", "@example.com", False),
        ("production", "", True),
    ],
)
def test_outside_production_mail_leaves_to_those_who_asked_for_it(
    monkeypatch: pytest.MonkeyPatch, outbox: Outbox, environment: str, only_to: str, leaves: bool
) -> None:
    settings = {"environment": environment, "mail_only_to": only_to, "mail_dry_run": False}
    for name, value in settings.items():
        monkeypatch.setattr(get_settings(), name, value)
    carried = []
    monkeypatch.setattr(provider, "send", lambda mail, _: carried.append(mail))

    deliver(message(), idempotency_key="0001")

    assert (len(carried), len(outbox())) == ((1, 0) if leaves else (0, 1))


def test_in_a_dry_run_nothing_leaves_from_production_either(monkeypatch: pytest.MonkeyPatch, outbox: Outbox) -> None:
    for name, value in {"environment": "production", "mail_dry_run": True}.items():
        monkeypatch.setattr(get_settings(), name, value)
    carried = []
    monkeypatch.setattr(provider, "send", lambda mail, _: carried.append(mail))

    deliver(message(), idempotency_key="0001")

    assert (carried, len(outbox())) == ([], 1)


def test_whoever_looks_into_the_outbox_meanwhile_sees_whole_messages(outbox: Outbox) -> None:
    def send() -> None:
        for _ in range(20):
            deliver(message(), idempotency_key="0001")

    with ThreadPoolExecutor() as pool:
        sending = pool.submit(send)
        seen = [read["Subject"] for _ in iter(sending.done, True) for read in outbox()]
    sending.result()

    assert set(seen) == {message().subject}
