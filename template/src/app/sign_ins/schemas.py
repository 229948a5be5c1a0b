"""What clients send and see of a sign-in."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


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
