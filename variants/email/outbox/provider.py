"""No provider: mail stays in the outbox. `copier update --data email_provider=...` chooses one."""

from app.mail.failures import ProviderMisconfigured
from app.mail.outbox import send
from app.settings import get_settings

__all__ = ["check", "send"]


def check() -> str:
    """What `app doctor` says."""
    if get_settings().environment == "production":
        raise ProviderMisconfigured("Mail is only kept in the outbox: nobody gets it.")
    return f"kept in {get_settings().mail_outbox}"
