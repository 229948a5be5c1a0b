"""No provider: mail stays in the outbox. `copier update --data email_provider=...` chooses one."""

from groundwork.mail import outbox
from groundwork.mail.failures import ProviderMisconfigured
from groundwork.mail.outbox import send
from groundwork.settings import get_settings

__all__ = ["check", "send"]


def check() -> str:
    """What `app doctor` says."""
    if get_settings().environment == "production":
        raise ProviderMisconfigured("Mail is only kept in the outbox: nobody gets it.")
    return outbox.check()
