"""What every provider of mail does alike; what is its own is in test_provider.py."""

import pytest
from provider_api import Api
from typer.testing import CliRunner

from app.cli import cli
from groundwork.mail import provider
from groundwork.mail.delivery import automatic
from groundwork.mail.failures import ProviderMisconfigured
from groundwork.mail.message import Address, Attachment, Message, list_unsubscribe
from groundwork.settings import Settings, get_settings

PLAIN = Message(to=(Address("ada@example.org"),), subject="Hello", text="Hi\n", html="<p>Hi</p>\n")
# What providers with templates of their own would fill in.
BRACES = "{" * 2 + " name " + "}" * 2
FULL = Message(
    sender=Address("shop@example.com", "The Shop, Ltd."),
    to=(Address("ada@example.org", 'Ada "Countess" Lovelace'), Address("bob@bücher.example.org")),
    cc=(Address("carol@example.org", "Çarol"),),
    bcc=(Address("dan@example.org"),),
    reply_to=(Address("help@example.com", "Help"),),
    subject="Grüße 👋, & <more>",
    text="Über https://example.org/?a=b&c=d " + BRACES + " *|NAME|*\n",
    html='<p>Über <a href="https://example.org/?a=b&amp;c=d">this</a> <img src="cid:logo"> ' + BRACES + "</p>\n",
    attachments=(
        Attachment("logo.png", b"\x89PNG\r\n\x1a\n", "image/png", content_id="logo"),
        Attachment("Grüße.pdf", b"%PDF-1.7\x00\xff", "application/pdf"),
    ),
    headers={"X-Campaign": "spring, 2030", "Auto-Submitted": "auto-generated"}
    | list_unsubscribe("https://example.com/u?token=abc"),
    tags=("welcome", "first-week"),
    metadata={"order": "2030-0001"},
)


@pytest.mark.parametrize("message", [PLAIN, FULL], ids=["plain", "full"])
def test_a_message_arrives_as_it_was_written(carrier: Api, message: Message) -> None:
    assert provider.send(message, "0001") == carrier.id_of(message)

    assert carrier.taken() == [carrier.understood(message)]


def test_two_attempts_of_a_job_have_one_key_where_the_provider_knows_keys(carrier: Api) -> None:
    for _ in range(2):
        provider.send(PLAIN, "0192f0c1-0000-7000-8000-000000000001")

    assert carrier.taken()[-1] == carrier.understood(PLAIN)
    if carrier.has_idempotency_keys:
        first, second = carrier.idempotency_keys()
        assert first == second != ""


def test_the_doctor_misses_each_setting(carrier: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert provider.check()

    for name in carrier.settings:
        with monkeypatch.context() as without:
            without.setattr(get_settings(), name, "")
            with pytest.raises(ProviderMisconfigured, match=name.upper()):
                provider.check()


def test_the_addresses_are_the_documented_ones() -> None:
    assert {name: Settings.model_fields[name].default for name in Api.documented} == Api.documented


def test_an_operator_tries_the_provider(carrier: Api) -> None:
    done = CliRunner().invoke(cli, ["mail", "test", "ada@example.org"])

    assert (done.exit_code, done.output[:7]) == (0, "Taken: ")
    [taken] = carrier.taken()
    assert [address.email for address in taken.to] == ["ada@example.org"]
    assert taken.headers == carrier.understood(automatic(PLAIN)).headers


def test_an_operator_is_told_in_a_sentence_what_is_missing(carrier: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in carrier.settings:
        monkeypatch.setattr(get_settings(), name, "")
    tried = [CliRunner().invoke(cli, ["mail", "test", to]) for to in ("ada@example.org", "ada")]

    assert tried[1].output.startswith("'ada' is not an address")
    assert tried[1].exit_code == 1
    if carrier.settings:
        assert tried[0].output.strip().endswith("No message can be sent until that is put right.")
