"""The routes of accounts, by whom they are for."""

from app.accounts import pages
from app.accounts.routes import admin, audit, links, sign_ins, users

__all__ = ["routers"]

routers = (users.router, admin.router, links.router, pages.router, sign_ins.router, audit.router)
