"""Mail by SMTP, through the standard library."""

import smtplib
import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import MSG_PEEK, create_connection
from typing import Any

import structlog

from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Address, Message
from groundwork.settings import get_settings

__all__ = ["check", "send"]

log = structlog.get_logger(__name__)

# What a server says of the sender: sign in first, or that this address is not yours.
OURS_TO_MEND = {530, 550, 553}
# Of the day, as Gmail's servers say it: https://support.google.com/a/answer/3726730
OVER_LIMIT = "5.4.5"
# Seconds, after which a server that says nothing may be one that waits for TLS.
PATIENCE = 3.0


def send(message: Message, idempotency_key: str) -> str:
    """The Message-ID. SMTP has no idempotency keys, but the same job keeps the same Message-ID."""
    message_id, recipients = message.message_id(idempotency_key), [address.email for address in message.recipients]
    with _failures(), _connected() as connection:
        refused = connection.sendmail(message.sender.email, recipients, message.as_bytes(idempotency_key))
    if refused:
        # It was taken for the others, who would get it twice if it were sent again.
        log.error("some recipients were refused", message_id=message_id, answers=list(refused.values()))
    return message_id


def check() -> str:
    """What `app doctor` says, after all that is done for a message, up to its sender."""
    settings = get_settings()
    if not settings.smtp_host:
        raise ProviderMisconfigured("SMTP_HOST is not set.")
    if settings.smtp_password and not settings.smtp_username:
        raise ProviderMisconfigured("SMTP_PASSWORD is set without SMTP_USERNAME, so nobody signs in; set both or none.")
    sender = Address.parse(settings.mail_from).email
    try:
        with _failures(), _connected() as connection:
            code, reason = connection.mail(sender)
            if code != 250:
                raise smtplib.SMTPSenderRefused(code, reason, sender)
            connection.rset()
    except (PermanentFailure, TemporaryFailure) as error:
        raise ProviderMisconfigured(f"SMTP_HOST or its settings are wrong: {_place()}: {error}") from error
    return f"SMTP by {_place()}"


@contextmanager
def _failures() -> Iterator[None]:
    """Raises what smtplib raises as ours."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        # Of all of them: who may be reached later decides.
        raise _failure(*min(error.recipients.values())) from error
    except smtplib.SMTPSenderRefused as error:
        failure = _failure(error.smtp_code, error.smtp_error)
        if error.smtp_code in OURS_TO_MEND and not isinstance(failure, QuotaExhausted):
            refused = "SMTP_SECURITY=none" if b"STARTTLS" in bytes(error.smtp_error).upper() else "MAIL_FROM"
            raise ProviderMisconfigured(f"The SMTP server refused {refused}: {error}") from error
        raise failure from error
    except smtplib.SMTPNotSupportedError as error:
        asks = "SMTP_SECURITY asks, or nobody signs in to it and SMTP_USERNAME is to be empty"
        raise ProviderMisconfigured(f"The SMTP server cannot do what {asks}: {error}") from error
    except (smtplib.SMTPHeloError, smtplib.SMTPAuthenticationError) as error:
        if error.smtp_code < 500:
            raise _failure(error.smtp_code, error.smtp_error) from error
        greeted = isinstance(error, smtplib.SMTPHeloError)
        what = "the domain of MAIL_FROM" if greeted else "SMTP_USERNAME or SMTP_PASSWORD"
        raise ProviderMisconfigured(f"The SMTP server refused {what}: {error}") from error
    except smtplib.SMTPResponseException as error:
        raise _failure(error.smtp_code, error.smtp_error) from error
    except ssl.SSLCertVerificationError as error:
        raise ProviderMisconfigured(f"The SMTP server's certificate is not valid for SMTP_HOST: {error}") from error
    except OSError as error:
        # What smtplib has no kind of its own for: no way to sign in that both know.
        if type(error) is smtplib.SMTPException:
            raise ProviderMisconfigured(f"The SMTP server cannot be signed in to: {error}") from error
        raise TemporaryFailure(f"The SMTP server does not answer: {error}") from error


@contextmanager
def _connected() -> Iterator[smtplib.SMTP]:
    """A server that knows us by the domain of MAIL_FROM, and our name and password."""
    settings = get_settings()
    context = ssl.create_default_context()
    connection = _over_tls(context) if settings.smtp_security == "tls" else _Plain(*_address(), **_options())
    try:
        if settings.smtp_security == "starttls":
            connection.starttls(context=context)
        connection.ehlo_or_helo_if_needed()
        if settings.smtp_username:
            _sign_in(connection, settings.smtp_username, settings.smtp_password)
        yield connection
        # Whatever the answer, the message is on its way, or is not.
        with suppress(smtplib.SMTPException, OSError):
            connection.quit()
    finally:
        connection.close()


class _Plain(smtplib.SMTP):
    """Tells a server that says nothing from one that waits for TLS, as at port 465."""

    greeted = False

    def getreply(self) -> tuple[int, bytes]:
        if not self.greeted and self.sock:
            self.greeted = True
            self.sock.settimeout(min(PATIENCE, get_settings().mail_timeout))
            try:
                self.sock.recv(1, MSG_PEEK)
            except TimeoutError:
                if _speaks_tls():
                    self.close()
                    said = "speaks TLS from the beginning: set SMTP_SECURITY=tls, or SMTP_PORT for STARTTLS."
                    raise ProviderMisconfigured(f"The SMTP server {said}") from None
            self.sock.settimeout(get_settings().mail_timeout)
        return super().getreply()


def _over_tls(context: ssl.SSLContext) -> smtplib.SMTP:
    try:
        return smtplib.SMTP_SSL(*_address(), context=context, **_options())
    except (ssl.SSLError, TimeoutError, ConnectionResetError) as error:
        if isinstance(error, ssl.SSLCertVerificationError) or not _greets_in_plain_text():
            raise
        said = "does not begin with TLS: set SMTP_SECURITY=starttls, or SMTP_PORT for TLS, mostly 465."
        raise ProviderMisconfigured(f"The SMTP server {said}") from error


def _speaks_tls() -> bool:
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Nothing is sent to it.
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    with suppress(OSError), create_connection(_address(), 10) as plain, anybody.wrap_socket(plain):
        return True
    return False


def _greets_in_plain_text() -> bool:
    with suppress(OSError), create_connection(_address(), 10) as plain:
        return plain.recv(3) == b"220"
    return False


def _sign_in(connection: smtplib.SMTP, username: str, password: str) -> None:
    if (username + password).isascii():
        connection.login(username, password)
        return
    # In UTF-8, as RFC 4616 says. The standard library knows ASCII only, and its error repeats both.
    offered = connection.esmtp_features.get("auth", "").upper().split()
    if "PLAIN" in offered:
        both = "\0".join(("", username, password))
        code, reason = connection.docmd("AUTH", f"PLAIN {_encoded(both)}")
    elif "LOGIN" in offered:
        code, reason = connection.docmd("AUTH", f"LOGIN {_encoded(username)}")
        if code == 334:
            code, reason = connection.docmd(_encoded(password))
    else:
        ways = "PLAIN and LOGIN, which alone carry a name or password with other characters than ASCII"
        raise ProviderMisconfigured(f"The SMTP server does not offer {ways}; choose others, or look at SMTP_SECURITY.")
    if code not in {235, 503}:
        raise smtplib.SMTPAuthenticationError(code, reason)


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def _address() -> tuple[str, int]:
    return get_settings().smtp_host, get_settings().smtp_port


def _place() -> str:
    return ":".join(map(str, _address()))


def _options() -> dict[str, Any]:
    ours = Address.parse(get_settings().mail_from).email.rpartition("@")[2]
    return {"timeout": get_settings().mail_timeout, "local_hostname": ours}


def _failure(code: int, reason: bytes | str) -> Exception:
    text = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
    said = f"The SMTP server said: {code} {text}"
    if text.startswith(OVER_LIMIT):
        return QuotaExhausted(said)
    return TemporaryFailure(said) if 400 <= code < 500 else PermanentFailure(said)
