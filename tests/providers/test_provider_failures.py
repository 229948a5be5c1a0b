"""How sending fails, whoever carries the message: an answer that says no, silence, or nobody there."""

from socket import socket
from typing import Any

import pytest
from provider_api import Api

from groundwork.mail import provider
from groundwork.mail.failures import ProviderMisconfigured, TemporaryFailure
from groundwork.mail.message import Address, Message
from groundwork.settings import get_settings

MESSAGE = Message(to=(Address("ada@example.org"),), subject="Hello", text="Hi", html="<p>Hi</p>")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits half a minute in a test."""
    monkeypatch.setattr(get_settings(), "mail_timeout", 0.3)


@pytest.mark.parametrize("name", Api.refusals | Api.not_a_success)
def test_an_answer_that_says_no_says_whether_to_try_again(carrier: Api, name: str) -> None:
    refusal = (Api.refusals | Api.not_a_success)[name]
    carrier.will(refusal.answer)

    with pytest.raises(refusal.failure, match=refusal.says) as refused:
        provider.send(MESSAGE, "0001")

    # Exactly: who is misconfigured is not refused for this message alone.
    assert type(refused.value) is refusal.failure
    assert getattr(refused.value, "retry_after", None) == refusal.retry_after
    for secret in carrier.secrets:
        assert secret not in str(refused.value)


@pytest.mark.parametrize("answer", [Api.accepted, *Api.without_id])
def test_a_message_that_was_taken_is_not_sent_again_for_want_of_an_id(carrier: Api, answer: Any) -> None:
    carrier.will(answer)

    known_as = carrier.id_of(MESSAGE) if answer is Api.accepted else "0001"
    assert provider.send(MESSAGE, "0001") == known_as


def test_silence_is_a_temporary_failure(carrier: Api, impatient: None) -> None:
    carrier.falls_silent()

    with pytest.raises(TemporaryFailure, match="does not answer"):
        provider.send(MESSAGE, "0001")


def test_a_cut_connection_is_a_temporary_failure(carrier: Api, impatient: None) -> None:
    carrier.cuts_connections()

    with pytest.raises(TemporaryFailure, match="does not answer"):
        provider.send(MESSAGE, "0001")


def test_nobody_there_is_a_temporary_failure(carrier: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, value in carrier.address().items():
        elsewhere = port if isinstance(value, int) else f"http://127.0.0.1:{port}"
        monkeypatch.setattr(get_settings(), name, elsewhere)

    with pytest.raises(TemporaryFailure, match="does not answer"):
        provider.send(MESSAGE, "0001")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ALL_PROXY", "socks5://ada:hidden@127.0.0.1:1", "HTTPS_PROXY or ALL_PROXY names a proxy of another kind than"),
        ("HTTPS_PROXY", "ftp://ada:hidden@127.0.0.1:1", "HTTPS_PROXY or ALL_PROXY names a proxy of another kind than"),
        (
            "SSL_CERT_FILE",
            "/nowhere",
            "SSL_CERT_FILE has no certificates that can be read: No such file or directory; ",
        ),
        ("SSL_CERT_FILE", __file__, "SSL_CERT_FILE has no certificates that can be read: NO_CERTIFICATE"),
    ],
)
def test_a_variable_of_the_machine_that_no_request_could_be_made_with_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    # The standard library, by which SMTP is spoken, does not read them.
    client = pytest.importorskip("groundwork.mail.http_client")
    for other in ("NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, value)
    client._trusted.cache_clear()

    with pytest.raises(ProviderMisconfigured, match=says) as raised:
        client.ask("GET", "It", "https://example.invalid/")

    client._trusted.cache_clear()
    assert "hidden" not in str(raised.value)
