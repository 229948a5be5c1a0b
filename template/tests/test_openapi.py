"""Every operation of the API's own document, asked with what nobody expects."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from people import SignInAs, new_user
from sqlalchemy.orm import Session

from app.main import create_app
from groundwork.http import Client, client_of
from groundwork.testing.questions import ask, operations


@pytest.fixture
def _from_everywhere(api: FastAPI) -> Iterator[None]:
    """Each request from an address of its own: no limit ends the questions."""
    api.dependency_overrides[client_of] = lambda: Client(str(uuid4()))
    yield
    api.dependency_overrides.clear()


@pytest.mark.usefixtures("_from_everywhere")
@pytest.mark.parametrize("operation", operations(create_app()), ids=lambda operation: operation.label)
def test_whatever_is_asked_the_answer_is_one_of_the_document(
    client: TestClient, session: Session, sign_in: SignInAs, operation: Any
) -> None:
    new_user(session, "root@example.org", admin=True)

    ask(client, operation, signed_in=lambda: sign_in("root@example.org"))
