"""What routes of the groundwork ask about the person behind a request; the service says how to find out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

__all__ = ["People", "Person", "SignedIn"]


class Person(Protocol):
    """A user: the owner of jobs, perhaps an administrator."""

    @property
    def id(self) -> UUID: ...

    @property
    def admin(self) -> bool: ...


class SignedIn(Protocol):
    """A device on which a person is signed in."""

    @property
    def id(self) -> UUID: ...

    @property
    def user_id(self) -> UUID: ...


@dataclass(frozen=True)
class People:
    """FastAPI dependencies, each of which returns what its name says, or raises a Problem.

    `still_signed_in` is a query in SQL: the user's `id` for the sign-in `%(id)s`, and no row once that has ended.
    """

    user: Callable[..., Any]
    """Returns a Person."""
    admin: Callable[..., Any]
    """Returns a Person whose `admin` is true."""
    sign_in: Callable[..., Any]
    """Returns a SignedIn."""
    still_signed_in: str
