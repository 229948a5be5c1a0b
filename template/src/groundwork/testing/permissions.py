"""The table of permissions: who gets which status from which route."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import update
from sqlalchemy.orm import Session
from starlette.requests import Request

from groundwork.data.request_session import held
from groundwork.jobs import Job, Status, enqueue, housekeeping
from groundwork.mail.callback import Callback, CallbackRefused, NothingAgreed
from groundwork.mail.webhook import receive

__all__ = ["GROUNDWORK", "WHO", "Target", "below", "documented", "everybody", "routes_of", "signed_in", "statuses"]

T = TypeVar("T")
# The columns of the table: an expired access token, and a sign-in that has ended, are those of the owner.
WHO = ("anonymous", "owner", "other", "admin", "deactivated", "expired", "ended")
Table = Mapping[str, list[int]]
# Makes a thing that the person with this id owns, commits it, and returns what its path names it by.
Target = Callable[[Session, UUID], object]


def everybody(status: int) -> list[int]:
    """The same for all, signed in or not."""
    return [status] * len(WHO)


def signed_in(*statuses: int) -> list[int]:
    """The statuses of owner, other and admin, and 401 for everybody who is not signed in.

    Of four, as rows of release 0.4 have them, the first one is not looked at: nobody is signed in and unverified.
    """
    owner, other, admin = statuses[-3:]
    return [401, owner, other, admin, 401, 401, 401]


def below(prefix: str, table: Mapping[str, T]) -> dict[str, T]:
    """The table with `prefix` before each path that does not begin with it."""
    return {
        route if f" {prefix}/" in route else route.replace(" ", f" {prefix}", 1): value
        for route, value in table.items()
    }


def _webhook() -> int:
    """Tests prove nothing to the webhook; where the provider has a secret, it is not set up either."""
    try:
        receive(Callback(url="", query={}, headers={}, body=b""))
    except NothingAgreed:
        return 503
    except CallbackRefused:
        return 401
    raise AssertionError("The webhook believes whoever asks.")


# The routes that the groundwork adds below the prefix of the API.
GROUNDWORK: Table = {
    "GET /jobs": signed_in(200, 200, 200),
    "POST /jobs/events/ticket": signed_in(200, 200, 200),
    "GET /jobs/events": signed_in(200, 200, 200),
    # Of other people's jobs it shows nothing.
    "GET /jobs/{job_id}/events": signed_in(200, 200, 200),
    "GET /jobs/{job_id}": signed_in(200, 404, 200),
    "POST /jobs/{job_id}/cancel": signed_in(200, 404, 200),
    "POST /jobs/{job_id}/retry": signed_in(403, 403, 200),
    "POST /webhooks/email": everybody(_webhook()),
    "GET /suppressed-addresses": signed_in(403, 403, 200),
    "DELETE /suppressed-addresses/{email}": signed_in(403, 403, 404),
}


def _job(session: Session, owner: UUID) -> UUID:
    job = enqueue(session, housekeeping, owner=owner)
    session.commit()
    return job.id


def _cancelled(session: Session, job_id: object) -> None:
    session.execute(update(Job).where(Job.id == job_id).values(status=Status.CANCELLED, due_at=None))
    session.commit()


def statuses(
    client: TestClient,
    session: Session,
    routes: Iterable[str],
    bodies: Mapping[str, Mapping[str, Any]],
    owner: UUID,
    targets: Mapping[str, Target],
    headers: Callable[[], dict[str, str]],
) -> dict[str, int]:
    """Ask each route once, for a thing of the owner's, with `headers`; returns the statuses.

    `targets` make what a parameter of a path names; a parameter without one gets an id that nothing has. After a request
    that changed something, things and headers are new. No route may wait for a body while it keeps a connection to the
    database: raises AssertionError.
    """
    known: dict[str, Target] = {"job_id": _job, "email": lambda *_: "nobody@example.org", **targets}
    answers: dict[str, int] = {}
    made: dict[str, object] = {}
    current = headers()
    for route in routes:
        method, _, path = route.partition(" ")
        for name in [part.partition("}")[0] for part in path.split("{")[1:]]:
            if name not in made:
                made[name] = known[name](session, owner) if name in known else uuid4()
        if path.endswith("/retry"):
            _cancelled(session, made["job_id"])
        with _connections_kept(client) as kept:
            reply = client.request(method, path.format(**made), headers=current, **bodies.get(route, {}))
        assert not kept, f"{route} waits for the body with a connection; declare what reads it before the session."
        answers[route] = reply.status_code
        if method != "GET" and reply.is_success:
            current, made = headers(), {}
    return answers


@contextmanager
def _connections_kept(client: TestClient) -> Iterator[list[int]]:
    """How many connections a request keeps each time that it begins to read its body, if any."""
    kept: list[int] = []
    stream, api = Request.stream, cast("FastAPI", client.app)

    async def watched(request: Request) -> AsyncIterator[bytes]:
        kept.extend([number] if (number := held(api.state.sessions)) else [])
        async for part in stream(request):
            yield part

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Request, "stream", watched)
        yield kept


def routes_of(api: FastAPI) -> set[str]:
    """The routes of the OpenAPI document, such as "GET /health/live"."""
    return {f"{method.upper()} {path}" for path, methods in api.openapi()["paths"].items() for method in methods}


def documented(api: FastAPI, table: Table) -> list[str]:
    """What the OpenAPI document does not say of the table: a status that is missing, or whether one has to sign in."""
    missing = []
    for route, codes in table.items():
        method, _, path = route.partition(" ")
        said = api.openapi()["paths"][path][method.lower()]
        if bool(said.get("security")) != (codes != everybody(codes[0])):
            missing.append(f"{route}: security")
        missing += [f"{route}: {code}" for code in sorted({*codes}) if str(code) not in said["responses"]]
    return missing
