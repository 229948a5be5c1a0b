"""Fixtures of this service. Those that every service needs come from `groundwork.testing.plugin`."""

import pytest
from people import SignInAs, bearer, new_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import SignIn, User

pytest_plugins = ["groundwork.testing.plugin"]


@pytest.fixture
def user(session: Session) -> User:
    """ada@example.org, with her address verified."""
    return new_user(session, "ada@example.org")


@pytest.fixture
def sign_in(session: Session) -> SignInAs:
    """The headers of a device on which somebody is signed in, Ada unless another address is given."""

    def headers(email: str = "ada@example.org") -> dict[str, str]:
        user = session.scalars(select(User).where(User.email == email)).one()
        # What the test client calls itself, so that for the service it is no new device.
        sign_in = SignIn(user_id=user.id, device="testclient", address="testclient")
        session.add(sign_in)
        session.commit()
        return bearer(sign_in)

    return headers


@pytest.fixture
def admin(session: Session, sign_in: SignInAs) -> dict[str, str]:
    """The headers of root@example.org, an administrator."""
    new_user(session, "root@example.org", admin=True)
    return sign_in("root@example.org")
