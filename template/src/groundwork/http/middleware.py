"""What every answer carries, and what every request must respect: pure ASGI, which costs next to nothing."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from groundwork.http.below_path import BelowPath, public_path
from groundwork.http.bounds import BodyTooLarge, Bounds, CookiesTooLarge, KindRefused
from groundwork.http.heads import Heads
from groundwork.http.hosts import HostUnknown
from groundwork.http.in_time import InTime, TimedOut
from groundwork.http.probes import Live
from groundwork.http.problem import InternalError, Invalid, Unavailable, safe_headers
from groundwork.http.proxies import BelievedProxies
from groundwork.http.request_log import RequestLog
from groundwork.settings import Settings

__all__ = ["ANYWHERE", "protect"]

# Of an answer, what a page of another site may read.
EXPOSED = ["Content-Disposition", "ETag", "Link", "Location", "Retry-After", "WWW-Authenticate", "X-Request-ID"]
# What any route may answer.
ANYWHERE = (HostUnknown, BodyTooLarge, KindRefused, CookiesTooLarge, Invalid, InternalError, TimedOut, Unavailable)


def protect(api: FastAPI, settings: Settings) -> None:
    """Add the middleware of all requests. What is added last is met first."""
    api.add_middleware(Heads)
    api.add_middleware(Bounds, settings=settings)
    api.add_middleware(InTime, seconds=settings.request_timeout_seconds)
    api.add_middleware(Live)
    if settings.cors_origins:
        # Outside of everything that refuses, so that a page of a named site can read each refusal.
        api.add_middleware(
            CORSMiddleware,
            allow_origins=settings.listed(settings.cors_origins),
            # The origin decides: no cookie is believed, and a page of ours may send any header too.
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
            max_age=600,
        )
    api.add_middleware(RequestLog, headers=safe_headers())
    api.add_middleware(BelievedProxies)
    api.add_middleware(BelowPath, path=public_path(settings))
