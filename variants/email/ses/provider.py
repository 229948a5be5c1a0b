"""Mail by Amazon SES: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import structlog
from botocore import exceptions
from botocore.config import Config

from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Message
from groundwork.settings import get_settings

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

__all__ = ["check", "send"]

log = structlog.get_logger(__name__)

# Seconds.
CONNECT = 5.0
# Without the words of the error, which repeat the credentials.
UNSENDABLE = "SES cannot be asked: AWS_REGION, SES_URL or the credentials have a character that HTTP cannot send."
# Names count more than statuses: SES says 400 to nearly everything.
TEMPORARY = {"ThrottlingException", "RequestTimeoutException", "InternalFailure"}
NOT_THERE = {301, 302, 303, 307, 308, 404, 405}
OURS_TO_MEND = {
    "AccountSuspendedException",
    "ExpiredTokenException",
    "MailFromDomainNotVerifiedException",
    # A configuration set that the identity names and that is gone.
    "NotFoundException",
    "SendingPausedException",
}


def send(message: Message, idempotency_key: str) -> str:
    """SES's id. It knows no idempotency keys, and puts its own Message-ID and Date into the message."""
    with _failures():
        answer = _client().send_email(**_request(message, idempotency_key))
    if not answer["ResponseMetadata"].get("RequestId"):
        raise ProviderMisconfigured("What answers at SES_URL is another server.")
    if not (message_id := answer.get("MessageId")):
        # It was taken all the same, and must not be sent again.
        log.warning("mail taken without an id", provider="SES", message_id=idempotency_key)
    return message_id or idempotency_key


def check() -> str:
    """What `app doctor` says."""
    try:
        with _failures():
            answer = _client().get_account()
        if not answer["ResponseMetadata"].get("RequestId"):
            raise ProviderMisconfigured("What answers at SES_URL is another server.")
    except ProviderMisconfigured as refusal:
        # A role that may only send is a good one.
        if "AccessDenied" not in str(refusal):
            raise
    return f"SES in {get_settings().aws_region}"


@contextmanager
def _failures() -> Iterator[None]:
    """Raises what boto3 raises as ours."""
    try:
        yield
    except exceptions.ClientError as error:
        raise _failure(error) from error
    except (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.CredentialRetrievalError) as error:
        if isinstance(error.kwargs.get("error"), ValueError):
            raise ProviderMisconfigured(UNSENDABLE) from None
        raise TemporaryFailure(f"SES does not answer: {error!r}") from error
    except exceptions.BotoCoreError as error:
        # A profile that is not there, half a key, a region that is none.
        raise ProviderMisconfigured(f"SES cannot be asked: {error!r}") from error
    except ValueError:
        raise ProviderMisconfigured(UNSENDABLE) from None


def _client() -> "SESV2Client":
    settings = get_settings()
    return _client_of(settings.aws_region, settings.ses_url, settings.mail_timeout)


@cache
def _client_of(region: str, url: str, timeout: float) -> "SESV2Client":
    """Made once: that takes long, and it keeps a connection. The job retries, and nobody else."""
    if not region:
        raise ProviderMisconfigured("AWS_REGION is not set.")
    session = boto3.Session(region_name=region)
    # A client that is made without stays without.
    if session.get_credentials() is None:
        raise ProviderMisconfigured("There are no AWS credentials: in the environment, in a profile or of a role.")
    config = Config(connect_timeout=min(timeout, CONNECT), read_timeout=timeout, retries={"total_max_attempts": 1})
    return session.client("sesv2", endpoint_url=url or None, config=config)


def _request(message: Message, idempotency_key: str) -> dict[str, Any]:
    recipients = {
        "ToAddresses": [address.email for address in message.to],
        "CcAddresses": [address.email for address in message.cc],
        "BccAddresses": [address.email for address in message.bcc],
    }
    # SES's tags are pairs, and so is our metadata; a tag is a pair with a value that says nothing.
    tags = {**dict.fromkeys(message.tags, "tag"), **message.metadata}
    return {
        # Raw, because the parts of a simple message have no place for every name outside ASCII.
        "Content": {"Raw": {"Data": message.as_bytes(idempotency_key)}},
        "Destination": {name: emails for name, emails in recipients.items() if emails},
        **({"EmailTags": [{"Name": name, "Value": value} for name, value in tags.items()]} if tags else {}),
    }


def _failure(error: exceptions.ClientError) -> Exception:
    said = error.response["Error"]
    name, text = said.get("Code", ""), said.get("Message", "")
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    reason = f"SES said: {status} {name}: {text[:300]}"
    # AWS names its errors.
    if status in NOT_THERE and name in {"", str(status)}:
        return ProviderMisconfigured(f"{reason} What answers at SES_URL is another server.")
    if name == "LimitExceededException" or "quota exceeded" in text:
        return QuotaExhausted(reason)
    if name in TEMPORARY or status in {408, 421, 425, 429} or status >= 500:
        return TemporaryFailure(reason)
    # Of the sender; or of everybody, as long as the account is in SES's sandbox.
    if name in OURS_TO_MEND or status in {401, 403} or "not verified" in text:
        return ProviderMisconfigured(reason)
    return PermanentFailure(reason)
