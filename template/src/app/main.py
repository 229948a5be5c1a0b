"""The API: `uvicorn --http groundwork.server:Protocol --factory app.main:create_app`."""

from fastapi import FastAPI

from app import admin
from app.accounts import routes as accounts
from app.accounts.auth import PEOPLE
from app.reports import routes as reports
from app.settings import API
from app.web import routes as web
from groundwork.api import new_api
from groundwork.jobs import job_routes, job_streams
from groundwork.mail import mail_routes

# isort: split
# Imports of your own routers go below this line; the routers themselves at the end of create_app.


def create_app() -> FastAPI:
    """The API with all of its routes; raises SettingsInvalid."""
    api = new_api()
    for router in accounts.routers:
        api.include_router(router)
    api.include_router(job_streams(API, PEOPLE))
    api.include_router(job_routes(API, PEOPLE))
    api.include_router(mail_routes(API, PEOPLE))
    api.include_router(reports.router)
    api.include_router(web.router)
    admin.add(api)
    # New features go here.
    return api
