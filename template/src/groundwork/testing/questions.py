"""Questions that nobody expects, made from the API's own OpenAPI document.

FUZZ_EXAMPLES=200 asks so many of each operation; one, the default, finds gross mistakes and costs little.
"""

import os
from collections.abc import Callable
from typing import Any

import schemathesis
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

__all__ = ["EXAMPLES", "GROUNDWORK", "ask", "operations"]

# The routes of the groundwork, which the template asks in its own repository.
GROUNDWORK = "/(health|jobs|suppressed-addresses|webhooks)(/|$)"

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "1"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def operations(api: FastAPI, without: str = f"{GROUNDWORK}|/events$") -> list[Any]:
    """The operations of the document, but for paths like this: by default the groundwork's and streams, which do not end."""
    schema = schemathesis.openapi.from_dict(api.openapi()).exclude(path_regex=without)
    return [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]


def ask(client: TestClient, operation: Any, signed_in: Callable[[], dict[str, str]]) -> None:
    """Ask an operation, anonymously and signed in; fails where an answer is not one that the document describes."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=_questions(operation))
    def each(case: Any) -> None:
        anonymous = _answer(client, case, {})
        known = _answer(client, case, signed_in())
        if operation.definition.raw.get("security"):
            # What cannot be read at all is refused before anybody asks who sent it.
            assert anonymous in {401, 422}
            assert known != 401

    each()


def _questions(operation: Any) -> Any:
    """What the document allows, and where the operation has parameters, what it does not."""
    asks = operation.body or operation.path_parameters or operation.query or operation.headers
    modes = schemathesis.GenerationMode if asks else [schemathesis.GenerationMode.POSITIVE]
    return one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))


def _answer(client: TestClient, case: Any, headers: dict[str, str]) -> int:
    """The status of the answer; one that the document does not describe fails."""
    words = case.as_transport_kwargs(base_url="http://testserver")
    words.pop("cookies", None)
    words["headers"] = {**words.pop("headers", {}), **headers}
    # In the words of the test client.
    if isinstance(words.get("data"), (bytes, str)):
        words["content"] = words.pop("data")
    reply = client.request(**words)
    case.validate_response(reply, checks=CHECKS)
    return reply.status_code
