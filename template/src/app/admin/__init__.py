"""The page at /admin, for administrators: users, registrations, jobs, mail and the audit log, to look at and to search.

What they do they do through the API. Delete this folder and its lines, as the guide says, and the rest stays.
"""

from threading import Lock

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from app.admin import routes

__all__ = ["add"]


class Page:
    """Makes the page for its first visitor: most processes have none, and need not load sqladmin."""

    def __init__(self, api: FastAPI) -> None:
        self._api, self._making = api, Lock()
        self._page: Starlette | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = await run_in_threadpool(self._made) if self._page is None else self._page
        await page(scope, receive, send)

    @property
    def routes(self) -> list[BaseRoute]:
        """For the links of the page, which the API makes."""
        return self._page.routes if self._page else []

    def _made(self) -> Starlette:
        # Only now: it takes 50 ms and 4 MB.
        from app.admin.page import make_page

        with self._making:
            self._page = self._page or make_page(self._api)
            return self._page


def add(api: FastAPI) -> None:
    api.include_router(routes.router)
    api.mount("/admin", Page(api), name="admin")
