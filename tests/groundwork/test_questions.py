"""The routes of the groundwork, asked with what nobody expects: `tests/test_openapi.py` asks those of the app."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from people import SignInAs, new_user
from sqlalchemy.orm import Session

from app.main import create_app
from groundwork.testing.questions import GROUNDWORK, ask, operations

# Streams do not end, and webhooks need a secret: test_webhook_contract.py of each provider asks those.
OTHERS = f"^(?!.*{GROUNDWORK})|/events$|/webhooks/"


@pytest.mark.parametrize("operation", operations(create_app(), without=OTHERS), ids=lambda operation: operation.label)
def test_whatever_is_asked_the_answer_is_one_of_the_document(
    client: TestClient, session: Session, sign_in: SignInAs, operation: Any
) -> None:
    new_user(session, "root@example.org", admin=True)

    ask(client, operation, signed_in=lambda: sign_in("root@example.org"))
