"""What clients send and receive: accounts, sign-ins, security events."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, SecretStr

from groundwork.http import one_spelling


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
    given = password.get_secret_value()
    # What is too long first, for its spelling takes long.
    if len(given) > 256 or not 10 <= len(one_spelling(given)) <= 256:
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


class ConfirmedEmail(MailedToken):
    current_password: CurrentPassword


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


class Tokens(BaseModel):
    """`access_token` goes into the header of each request; `refresh_token` gives new ones, once."""

    access_token: str
    token_type: str = Field(default="bearer")
    # Seconds.
    expires_in: int
    refresh_token: str


class RefreshToken(BaseModel):
    refresh_token: str = Field(max_length=200)


class SignInOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    device: str
    address: str
    created_at: datetime
    refreshed_at: datetime
    current: bool = False


class AuditEventOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    kind: str
    user_id: UUID | None
    actor_id: UUID | None
    address: str
    device: str
    detail: dict[str, JsonValue]
    at: datetime
