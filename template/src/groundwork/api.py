"""The API without its features: logs, limits, problems, health, documentation, and the outbox in development."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import Semaphore
from fastapi import FastAPI

from groundwork.data import open_sessions
from groundwork.data.computing import at_a_time
from groundwork.http import docs_routes, problems
from groundwork.http.below_path import public_path
from groundwork.http.document import DocumentedAPI, name_of
from groundwork.http.middleware import ANYWHERE, protect
from groundwork.http.problem import add_problem_handlers
from groundwork.jobs import health_routes
from groundwork.jobs.watchers import open_streams
from groundwork.log import configure_logging
from groundwork.mail import our_address, outbox_routes
from groundwork.settings import get_settings

__all__ = ["new_api"]


@asynccontextmanager
async def lifespan(api: FastAPI) -> AsyncIterator[None]:
    """The pool and the hub of one process, for as long as it serves."""
    async with open_sessions() as sessions, open_streams() as watchers:
        api.state.sessions, api.state.watchers, api.state.hub = sessions, watchers, watchers.hub
        api.state.computing = Semaphore(at_a_time())
        yield


def new_api() -> FastAPI:
    """A FastAPI application with everything that every service has, and no feature yet; raises SettingsInvalid.

    It configures the logs, opens the database's pool and the live connections while it serves, bounds requests, answers
    errors with problem documents, and has the routes of health, of `/docs`, and in development of `/dev/mail`.
    """
    configure_logging()
    settings = get_settings()
    # Now, and not with the first mail, is the time to learn that it is wrong.
    our_address()
    api = DocumentedAPI(
        title=settings.project_name,
        lifespan=lifespan,
        responses=problems(*ANYWHERE),
        servers=[{"url": public_path(settings) or "/"}],
        generate_unique_id_function=name_of,
        # docs_page.py has a page of its own.
        docs_url=None,
        redoc_url=None,
        # They would name whatever host the request names.
        redirect_slashes=False,
        openapi_url="/openapi.json" if settings.api_docs else None,
    )
    protect(api, settings)
    add_problem_handlers(api)
    api.include_router(health_routes)
    if settings.api_docs:
        api.include_router(docs_routes)
    if settings.environment == "development":
        api.include_router(outbox_routes)
    return api
