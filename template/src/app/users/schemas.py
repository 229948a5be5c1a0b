"""What clients send and see of a user."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr


def _address(text: str) -> str:
    """One spelling for each mailbox, and none that providers cannot reach."""
    try:
        address = validate_email(text, check_deliverability=False).ascii_email
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    if address is None:
        raise ValueError("The part before the @-sign must be ASCII: mail providers reach no other address.")
    return address.lower()


def _decent(password: SecretStr) -> SecretStr:
    if not 10 <= len(password.get_secret_value()) <= 256:
        raise ValueError("A password has 10 to 256 characters.")
    return _whole(password)


def _whole(password: SecretStr) -> SecretStr:
    try:
        password.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("The password has half of a character.") from None
    return password


# The length first: what follows takes long for a long text.
Email = Annotated[str, Field(max_length=254, json_schema_extra={"format": "email"}), AfterValidator(_address)]
Password = Annotated[SecretStr, AfterValidator(_decent), Field(json_schema_extra={"minLength": 10, "maxLength": 256})]
# One that was given before today's rules counts too.
CurrentPassword = Annotated[SecretStr, Field(max_length=256), AfterValidator(_whole)]


class NewUser(BaseModel):
    email: Email
    password: Password


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    admin: bool
    verified: bool
    created_at: datetime


class UserForAdmin(UserOut):
    last_seen_at: datetime | None
    deactivated_at: datetime | None


class Told(BaseModel):
    """What to do next."""

    detail: str


class JustEmail(BaseModel):
    email: Email


class MailedToken(BaseModel):
    """What follows `#token=` in a mailed link."""

    token: str = Field(max_length=200)


class NewPassword(MailedToken):
    password: Password


class ChangedPassword(BaseModel):
    password: Password
    current_password: CurrentPassword


class ChangedEmail(BaseModel):
    email: Email
    current_password: CurrentPassword


class Deletion(BaseModel):
    current_password: CurrentPassword
