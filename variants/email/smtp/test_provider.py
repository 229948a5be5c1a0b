"""What is SMTP's own; the rest is in test_provider_contract.py and test_provider_failures.py."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from traceback import format_exception
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import AuthResult, LoginPassword
from provider_api import Answers, Api
from structlog.testing import capture_logs

from groundwork.mail import outbox, provider
from groundwork.mail.failures import ProviderMisconfigured, TemporaryFailure
from groundwork.mail.message import Address, Message
from groundwork.mail.provider import check, send
from groundwork.settings import SettingsInvalid, get_settings
from groundwork.testing import SetVariable

MESSAGE = Message(to=(Address("ada@example.org"),), subject="Grüße", text="Hi", html="<p>Hi</p>")


def test_the_jobs_id_is_in_the_message_id_of_our_own_domain(carrier: Api) -> None:
    message_id = send(MESSAGE, "0001")

    [envelope] = carrier.envelopes
    assert message_id == "<0001@example.com>"
    assert isinstance(envelope.content, bytes)
    assert b"Message-ID: <0001@example.com>" in envelope.content


def test_who_gets_a_copy_in_secret_is_not_named(carrier: Api) -> None:
    send(Message(to=MESSAGE.to, bcc=(Address("eve@example.org"),), subject="Hi", text="Hi", html="Hi"), "0001")

    [envelope] = carrier.envelopes
    assert isinstance(envelope.content, bytes)
    assert envelope.rcpt_tos == ["ada@example.org", "eve@example.org"]
    assert b"eve@example.org" not in envelope.content


def test_a_message_that_was_taken_is_not_sent_again_for_a_rude_goodbye(carrier: Api) -> None:
    carrier.will(Answers(goodbye="421 too busy"))

    send(MESSAGE, "0001")

    assert len(carrier.envelopes) == 1


def test_a_server_without_encryption_is_refused_unless_asked_for(carrier: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "smtp_security", "starttls")

    with pytest.raises(ProviderMisconfigured, match="STARTTLS"):
        send(MESSAGE, "0001")
    assert carrier.envelopes == []


def test_the_doctor_signs_in_to_the_server(carrier: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "SMTP by 127.0.0.1" in check()

    monkeypatch.setattr(get_settings(), "smtp_port", 1)
    with pytest.raises(ProviderMisconfigured, match=r"SMTP_HOST.* 127\.0\.0\.1:1: "):
        check()


def test_the_server_is_greeted_by_the_domain_of_the_sender(carrier: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "mail_from", "The Shop <shop@bücher.example.com>")

    check()
    send(MESSAGE, "0001")

    assert carrier.greeted_by == ["xn--bcher-kva.example.com"] * 2


def test_the_doctor_asks_whether_the_sender_may_write(carrier: Api) -> None:
    carrier.will(Answers(sender="553 not yours"))

    with pytest.raises(ProviderMisconfigured, match=r"MAIL_FROM.*553"):
        check()
    assert carrier.envelopes == []


def test_a_catcher_is_greeted_by_the_domain_of_the_sender(carrier: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "mail_outbox", f"smtp://127.0.0.1:{carrier.port}")

    outbox.check()
    outbox.send(MESSAGE, "0001")

    assert carrier.greeted_by == ["example.com"] * 2
    assert len(carrier.envelopes) == 1


@pytest.mark.parametrize("host", ["smtp://mail.example.org", "mail.example.org:587", "mail example.org", "[::1]"])
def test_a_host_that_is_none_is_said_at_the_start(set_variable: SetVariable, host: str) -> None:
    set_variable("SMTP_HOST", host)

    with pytest.raises(SettingsInvalid, match="SMTP_HOST: is not a name"):
        get_settings()


def test_the_doctor_misses_the_name_beside_a_password(carrier: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "smtp_password", "right")

    with pytest.raises(ProviderMisconfigured, match="SMTP_PASSWORD is set without SMTP_USERNAME"):
        check()


def test_a_port_that_cannot_be_is_said_at_the_start(set_variable: SetVariable) -> None:
    set_variable("SMTP_PORT", "99999")

    with pytest.raises(SettingsInvalid, match="SMTP_PORT: Input should be less than or equal to 65535"):
        get_settings()


BOTH = Message(to=MESSAGE.to, cc=(Address("bob@example.org"),), subject="Hi", text="Hi", html="Hi")


def test_who_is_refused_alone_does_not_hold_up_the_others(carrier: Api) -> None:
    carrier.will(Answers(others={"bob@example.org": "550 no such user"}))

    with capture_logs() as logged:
        send(BOTH, "0001")

    assert [envelope.rcpt_tos for envelope in carrier.envelopes] == [["ada@example.org"]]
    assert [line["answers"] for line in logged] == [[(550, b"no such user")]]


def test_of_refused_recipients_the_one_who_may_be_reached_later_decides(carrier: Api) -> None:
    carrier.will(Answers(recipient="550 no such user", others={"bob@example.org": "451 try later"}))

    with pytest.raises(TemporaryFailure, match="451 try later"):
        send(BOTH, "0001")


def _allow(_: Any, __: Any, ___: Any, ____: Any, given: Any) -> AuthResult:
    if given == LoginPassword(b"busy", b"right"):
        return AuthResult(success=False, handled=False, message="454 4.7.0 try later")
    known = {(b"ada", b"right"), ("ädä".encode(), "pässwörd".encode())}
    return AuthResult(success=(given.login, given.password) in known, handled=False)


Serve = Callable[..., AbstractContextManager[Api]]


@pytest.fixture
def secure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Serve:
    """A server with SMTP_SECURITY of that kind, where Ada may sign in, and whose certificate this machine trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    @contextmanager
    def serving(security: str, **more: Any) -> Iterator[Api]:
        options: dict[str, dict[str, Any]] = {
            "starttls": {"tls_context": context, "require_starttls": True, "auth_required": True},
            # It does not know that what was encrypted from the beginning is.
            "tls": {"ssl_context": context, "auth_require_tls": False},
        }
        with Api.serving(authenticator=_allow, **options[security], **more) as api:
            said = {"smtp_username": "ada", "smtp_password": "right", "smtp_security": security}
            for name, value in {**api.settings, **said, "smtp_port": api.port}.items():
                monkeypatch.setattr(get_settings(), name, value)
            yield api

    return serving


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_it_signs_in_over_tls(secure: Serve, security: str) -> None:
    with secure(security) as carrier:
        check()
        send(MESSAGE, "0001")

        assert len(carrier.envelopes) == 1


@pytest.mark.parametrize(
    ("username", "password", "failure", "says"),
    [
        ("ada", "wrong", ProviderMisconfigured, "SMTP_PASSWORD.*535"),
        ("", "", ProviderMisconfigured, "MAIL_FROM.*530"),
        ("busy", "right", TemporaryFailure, "454"),
    ],
)
def test_who_may_not_sign_in_is_told_why(
    secure: Serve,
    monkeypatch: pytest.MonkeyPatch,
    username: str,
    password: str,
    failure: type[Exception],
    says: str,
) -> None:
    with secure("starttls") as carrier:
        monkeypatch.setattr(get_settings(), "smtp_username", username)
        monkeypatch.setattr(get_settings(), "smtp_password", password)

        with pytest.raises(failure, match=says):
            send(MESSAGE, "0001")
        if username:
            with pytest.raises(ProviderMisconfigured, match="SMTP_HOST or its settings"):
                check()
        assert carrier.envelopes == []


@pytest.mark.parametrize("without", ["LOGIN", "PLAIN"])
def test_a_name_and_a_password_are_sent_in_utf_8(secure: Serve, monkeypatch: pytest.MonkeyPatch, without: str) -> None:
    with secure("starttls", auth_exclude_mechanism=[without]) as carrier:
        monkeypatch.setattr(get_settings(), "smtp_username", "ädä")
        monkeypatch.setattr(get_settings(), "smtp_password", "pässwörd")
        check()
        send(MESSAGE, "0001")
        assert len(carrier.envelopes) == 1

        monkeypatch.setattr(get_settings(), "smtp_password", "wröng-secret")
        with pytest.raises(ProviderMisconfigured, match=r"SMTP_PASSWORD.*535") as refused:
            send(MESSAGE, "0001")

    told = "".join(format_exception(refused.value)) + repr(refused.value.__cause__)
    assert "secret" not in told


def test_a_password_that_no_offered_way_can_carry_is_refused(secure: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    with secure("starttls", auth_exclude_mechanism=["LOGIN", "PLAIN"]) as carrier:
        monkeypatch.setattr(get_settings(), "smtp_password", "pässwörd-secret")
        with pytest.raises(ProviderMisconfigured, match="does not offer PLAIN and LOGIN") as refused:
            send(MESSAGE, "0001")
        assert carrier.envelopes == []

    assert "secret" not in "".join(format_exception(refused.value))


@pytest.mark.parametrize(
    ("server", "ours", "remedy"),
    [
        ("tls", "starttls", "set SMTP_SECURITY=tls"),
        ("tls", "none", "set SMTP_SECURITY=tls"),
        ("starttls", "tls", "set SMTP_SECURITY=starttls"),
    ],
)
def test_the_other_kind_of_encryption_is_told_at_once_and_finally(
    secure: Serve, monkeypatch: pytest.MonkeyPatch, server: str, ours: str, remedy: str
) -> None:
    monkeypatch.setattr(provider, "PATIENCE", 0.1)

    with secure(server) as carrier:
        monkeypatch.setattr(get_settings(), "smtp_security", ours)
        for ask in (check, lambda: send(MESSAGE, "0001")):
            with pytest.raises(ProviderMisconfigured, match=remedy):
                ask()
        assert carrier.envelopes == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(
    secure: Serve, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")

    with secure(security) as carrier, pytest.raises(ProviderMisconfigured, match="certificate"):
        send(MESSAGE, "0001")
    assert carrier.envelopes == []
