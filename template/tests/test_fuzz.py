"""Every operation of the API's own document, asked with what nobody expects.

FUZZ_EXAMPLES=200 asks so many times in each operation; one finds gross mistakes, and costs little.
"""

import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from conftest import SignInAs, add_verified
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import one_of
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy.orm import Session

from app.client import Client, client_of
from app.main import create_app

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "1"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Streams do not end; tests/test_live.py reads them.
SCHEMA = schemathesis.openapi.from_dict(create_app().openapi()).exclude(path_regex="/events$")
OPERATIONS = [result.ok() for result in SCHEMA.get_all_operations() if isinstance(result, Ok)]


@pytest.fixture
def _from_everywhere(api: FastAPI) -> Iterator[None]:
    """Each request from an address of its own: no limit ends the questions."""
    api.dependency_overrides[client_of] = lambda: Client(str(uuid4()))
    yield
    api.dependency_overrides.clear()


@pytest.mark.usefixtures("_from_everywhere", "webhook_set_up")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_whatever_is_asked_the_answer_is_one_of_the_document(
    client: TestClient, session: Session, sign_in: SignInAs, operation: Any
) -> None:
    admin = add_verified(session, "root@example.org")
    admin.admin = True
    session.commit()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=questions(operation))
    def ask(case: Any) -> None:
        anonymous = answer(client, case, {})
        known = answer(client, case, sign_in("root@example.org"))
        if operation.definition.raw.get("security"):
            # What cannot be read at all is refused before anybody asks who sent it.
            assert anonymous in {401, 422}
            assert known != 401

    ask()


def questions(operation: Any) -> Any:
    """What the document allows, and where it asks for something what it does not."""
    asks = operation.body or operation.path_parameters or operation.query or operation.headers
    modes = schemathesis.GenerationMode if asks else [schemathesis.GenerationMode.POSITIVE]
    return one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))


def answer(client: TestClient, case: Any, headers: dict[str, str]) -> int:
    """Its status; what the document does not know fails."""
    words = case.as_transport_kwargs(base_url="http://testserver")
    words.pop("cookies", None)
    words["headers"] = {**words.pop("headers", {}), **headers}
    # In the words of the test client.
    if isinstance(words.get("data"), (bytes, str)):
        words["content"] = words.pop("data")
    reply = client.request(**words)
    case.validate_response(reply, checks=CHECKS)
    return reply.status_code
