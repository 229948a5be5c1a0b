"""The API: `uvicorn --factory app.main:create_app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app import admin as admin_page
from app import docs, health
from app.audit import routes as audit
from app.deliveries import routes as deliveries
from app.errors import add_problem_handlers, problems
from app.http import ANYWHERE, protect
from app.jobs import events
from app.jobs import routes as jobs
from app.jobs.events import make_hub
from app.log import RequestLog, configure_logging
from app.mail import our_address, outbox_page
from app.realtime import open_hub
from app.reports import routes as reports
from app.session import open_sessions
from app.settings import get_settings
from app.sign_ins import routes as sign_ins
from app.users import admin_routes, link_routes, pages
from app.users import routes as users
from app.web import routes as web

# isort: split
# Imports of your own routers go below this line; the routers themselves at the end of create_app.


@asynccontextmanager
async def lifespan(api: FastAPI) -> AsyncIterator[None]:
    async with open_sessions() as sessions, open_hub(make_hub()) as hub:
        api.state.sessions, api.state.hub = sessions, hub
        yield


def create_app() -> FastAPI:
    configure_logging()
    settings = get_settings()
    # Now, and not with the first mail, is the time to learn that it is wrong.
    our_address()
    api = FastAPI(
        title=settings.project_name,
        lifespan=lifespan,
        responses=problems(*ANYWHERE),
        # docs.py has a page of its own.
        docs_url=None,
        redoc_url=None,
        # They would name whatever host the request names.
        redirect_slashes=False,
        openapi_url="/openapi.json" if settings.api_docs else None,
    )
    protect(api, settings)
    api.add_middleware(RequestLog)
    add_problem_handlers(api)
    api.include_router(health.router)
    api.include_router(users.router)
    api.include_router(admin_routes.router)
    api.include_router(link_routes.router)
    api.include_router(pages.router)
    api.include_router(sign_ins.router)
    # Before the jobs, whose ids could be called events.
    api.include_router(events.router)
    api.include_router(jobs.router)
    api.include_router(deliveries.router)
    api.include_router(audit.router)
    api.include_router(reports.router)
    api.include_router(web.router)
    admin_page.add(api)
    # New features go here.
    if settings.api_docs:
        api.include_router(docs.router)
    if settings.environment == "development":
        api.include_router(outbox_page.router)
    return api
