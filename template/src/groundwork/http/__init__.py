"""HTTP: problems, limits, who sends a request, signed tokens, and what every answer carries."""

from groundwork.http.client import Client, ClientDep, client_of, from_known_page, from_our_page
from groundwork.http.docs_page import docs_routes
from groundwork.http.etag import UNCHANGED, answer
from groundwork.http.passwords import one_spelling, verify
from groundwork.http.people import People, Person, SignedIn
from groundwork.http.problem import (
    InternalError,
    Invalid,
    NotAdmin,
    NotAuthenticated,
    NotFound,
    Problem,
    Unavailable,
    problems,
)
from groundwork.http.router import Router
from groundwork.http.throttle import Limit, Throttle, ThrottleDep, TooManyRequests
from groundwork.http.tokens import (
    TokenInvalid,
    derived_secrets,
    hash_secret,
    new_secret,
    read_token,
    sign_token,
    successors,
)

__all__ = [
    "UNCHANGED",
    "Client",
    "ClientDep",
    "InternalError",
    "Invalid",
    "Limit",
    "NotAdmin",
    "NotAuthenticated",
    "NotFound",
    "People",
    "Person",
    "Problem",
    "Router",
    "SignedIn",
    "Throttle",
    "ThrottleDep",
    "TokenInvalid",
    "TooManyRequests",
    "Unavailable",
    "answer",
    "client_of",
    "derived_secrets",
    "docs_routes",
    "from_known_page",
    "from_our_page",
    "hash_secret",
    "new_secret",
    "one_spelling",
    "problems",
    "read_token",
    "sign_token",
    "successors",
    "verify",
]
