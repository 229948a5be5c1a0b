import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import literal, select
from support import cut_connections

from app.main import create_app
from app.settings import API
from groundwork.data.connections import engine
from groundwork.http.problem import add_problem_handlers
from groundwork.http.request_log import RequestLog
from groundwork.testing import SetVariable


def test_an_unknown_path_and_a_wrong_method_are_problems_too(client: TestClient) -> None:
    replies = [client.get("/nothing"), client.delete(f"{API}/users")]

    assert [reply.json()["type"] for reply in replies] == ["urn:problem:not-found", "urn:problem:method-not-allowed"]
    assert set(replies[1].headers["allow"].split(", ")) <= {"GET", "POST"}
    assert all(reply.headers["content-type"] == "application/problem+json" for reply in replies)


def test_a_bug_is_a_problem_that_gives_nothing_away() -> None:
    api = FastAPI()
    add_problem_handlers(api)

    @api.get("/bug")
    def bug() -> None:
        raise RuntimeError("the secret plan")

    api.add_middleware(RequestLog, headers={})
    reply = TestClient(api, raise_server_exceptions=False).get("/bug", headers={"X-Request-ID": "trace-7"})

    assert reply.status_code == 500
    assert reply.json()["type"] == "urn:problem:internal-error"
    assert reply.json()["instance"] == "urn:request:trace-7"
    assert reply.headers["x-request-id"] == "trace-7"
    assert "secret" not in reply.text


def test_a_problem_names_the_request_that_the_log_tells_about(client: TestClient) -> None:
    reply = client.get(f"{API}/users/me", headers={"X-Request-ID": "trace-7"})

    assert reply.headers["x-request-id"] == "trace-7"
    assert reply.json()["instance"] == "urn:request:trace-7"


@pytest.mark.parametrize(("words", "status"), [("plain", 200), ("NUL\0", 422)])
def test_text_that_no_column_can_keep_is_the_clients_error(words: str, status: int) -> None:
    api = FastAPI()
    add_problem_handlers(api)

    @api.get("/")
    def keep(words: str) -> None:
        with engine().connect() as connection:
            connection.execute(select(literal(words)))

    reply = TestClient(api).get("/", params={"words": words})

    assert reply.status_code == status
    assert ("NUL" in reply.text) == (status == 422)


def test_a_database_that_is_away_is_a_503(set_variable: SetVariable) -> None:
    set_variable("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")

    with TestClient(create_app()) as client:
        reply = client.get("/health/ready")

    assert reply.status_code == 503
    assert reply.headers["retry-after"] == "5"


def test_a_restart_of_the_database_fails_no_request() -> None:
    with TestClient(create_app()) as client:
        assert client.get("/health/ready").status_code == 200
        cut_connections()

        replies = [client.get("/health/ready") for _ in range(3)]

    assert [reply.status_code for reply in replies] == [200] * 3


def test_the_openapi_document_says_what_each_route_refuses(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    refusals = {
        (path, method): {code: reply for code, reply in operation["responses"].items() if code >= "400"}
        for path, methods in paths.items()
        for method, operation in methods.items()
    }
    assert "password-weak" in refusals[f"{API}/users", "post"]["422"]["description"]
    assert "too-many-requests" in refusals[f"{API}/users", "post"]["429"]["description"]
    assert "not-authenticated" in refusals[f"{API}/users/me", "get"]["401"]["description"]
    contents = [list(reply["content"]) for replies in refusals.values() for reply in replies.values()]
    assert contents == [["application/problem+json"]] * len(contents)
