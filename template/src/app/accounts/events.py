"""What the audit log records of accounts."""

from enum import StrEnum

__all__ = ["Kind"]


class Kind(StrEnum):
    REGISTERED = "registered"
    VERIFIED = "verified"
    SIGNED_IN = "signed-in"
    SIGN_IN_FAILED = "sign-in-failed"
    SIGNED_OUT = "signed-out"
    REFRESH_TOKEN_REUSED = "refresh-token-reused"
    RESET_ASKED = "reset-asked"
    PASSWORD_RESET = "password-reset"
    PASSWORD_CHANGED = "password-changed"
    PASSWORD_REFUSED = "password-refused"
    EMAIL_CHANGE_ASKED = "email-change-asked"
    EMAIL_CHANGED = "email-changed"
    DEACTIVATED = "deactivated"
    REACTIVATED = "reactivated"
    DELETION_ASKED = "deletion-asked"
    DELETED = "deleted"
    ADMIN_MADE = "admin-made"
