"""Mail by SMTP, through the standard library."""

import smtplib
import ssl
from contextlib import suppress

import structlog

from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Message
from groundwork.settings import get_settings

__all__ = ["check", "send"]

log = structlog.get_logger(__name__)

# What a server says of the sender: sign in first, or that this address is not yours.
OURS_TO_MEND = {530, 550, 553}
# Of the day, as Gmail's servers say it: https://support.google.com/a/answer/3726730
OVER_LIMIT = "5.4.5"


def send(message: Message, idempotency_key: str) -> str:
    """The Message-ID. SMTP has no idempotency keys, but the same job keeps the same Message-ID."""
    message_id, recipients = message.message_id(idempotency_key), [address.email for address in message.recipients]
    try:
        connection = _connect()
        try:
            refused = connection.sendmail(message.sender.email, recipients, message.as_bytes(idempotency_key))
        finally:
            # Whatever the answer, the message is on its way, or is not.
            with suppress(smtplib.SMTPException, OSError):
                connection.quit()
    except smtplib.SMTPRecipientsRefused as error:
        # Of all of them: who may be reached later decides.
        raise _failure(*min(error.recipients.values())) from error
    except smtplib.SMTPSenderRefused as error:
        failure = _failure(error.smtp_code, error.smtp_error)
        if error.smtp_code in OURS_TO_MEND and not isinstance(failure, QuotaExhausted):
            raise ProviderMisconfigured(f"The SMTP server refused MAIL_FROM: {error}") from error
        raise failure from error
    except smtplib.SMTPNotSupportedError as error:
        raise ProviderMisconfigured(f"The SMTP server cannot do what SMTP_SECURITY asks: {error}") from error
    except smtplib.SMTPAuthenticationError as error:
        if error.smtp_code < 500:
            raise _failure(error.smtp_code, error.smtp_error) from error
        raise ProviderMisconfigured(f"The SMTP server refused SMTP_USERNAME or SMTP_PASSWORD: {error}") from error
    except smtplib.SMTPResponseException as error:
        raise _failure(error.smtp_code, error.smtp_error) from error
    except ssl.SSLCertVerificationError as error:
        raise ProviderMisconfigured(f"The SMTP server's certificate is not valid: {error}") from error
    except OSError as error:
        # What smtplib has no kind of its own for: no way to sign in that both know.
        if type(error) is smtplib.SMTPException:
            raise ProviderMisconfigured(f"The SMTP server cannot be signed in to: {error}") from error
        raise TemporaryFailure(f"The SMTP server does not answer: {error}") from error
    if refused:
        # It was taken for the others, who would get it twice if it were sent again.
        log.error("some recipients were refused", message_id=message_id, answers=list(refused.values()))
    return message_id


def check() -> str:
    """What `app doctor` says, after signing in to the server."""
    settings = get_settings()
    if not settings.smtp_host:
        raise ProviderMisconfigured("SMTP_HOST is not set.")
    if settings.smtp_password and not settings.smtp_username:
        raise ProviderMisconfigured("SMTP_PASSWORD is set without SMTP_USERNAME, so nobody signs in; set both or none.")
    place = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        with _connect() as connection:
            connection.noop()
    except (OSError, smtplib.SMTPException) as error:
        raise ProviderMisconfigured(f"SMTP_HOST or its settings are wrong: {place}: {error}") from error
    return f"SMTP by {place}"


def _connect() -> smtplib.SMTP:
    settings = get_settings()
    timeout = settings.mail_timeout
    context = ssl.create_default_context()
    if settings.smtp_security == "tls":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(
            settings.smtp_host, settings.smtp_port, timeout=timeout, context=context
        )
    else:
        connection = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=timeout)
    try:
        if settings.smtp_security == "starttls":
            connection.starttls(context=context)
        if settings.smtp_username:
            connection.login(settings.smtp_username, settings.smtp_password)
    except BaseException:
        connection.close()
        raise
    return connection


def _failure(code: int, reason: bytes | str) -> Exception:
    text = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
    said = f"The SMTP server said: {code} {text}"
    if text.startswith(OVER_LIMIT):
        return QuotaExhausted(said)
    return TemporaryFailure(said) if 400 <= code < 500 else PermanentFailure(said)
