"""E-mail: a message from a template, handed to the provider by a job."""

from groundwork.mail.delivery import deliver, our_address
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, QuotaExhausted, TemporaryFailure
from groundwork.mail.message import Address, Attachment, Message, MessageInvalid, list_unsubscribe
from groundwork.mail.models import ReportedEvent, SuppressedAddress
from groundwork.mail.outbox_page import outbox_routes
from groundwork.mail.rendering import render
from groundwork.mail.routes import mail_routes

__all__ = [
    "Address",
    "Attachment",
    "Message",
    "MessageInvalid",
    "PermanentFailure",
    "ProviderMisconfigured",
    "QuotaExhausted",
    "ReportedEvent",
    "SuppressedAddress",
    "TemporaryFailure",
    "deliver",
    "list_unsubscribe",
    "mail_routes",
    "our_address",
    "outbox_routes",
    "render",
]
