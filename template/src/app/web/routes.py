"""Serves the page at /app: its files and the reader of the stream, without a build step."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from app.settings import API, get_settings
from groundwork.http import NotFound

router = APIRouter(include_in_schema=False)

FILES = {"index.html": "html", "style.css": "css"} | dict.fromkeys(["app.js", "chart.js", "live.js"], "javascript")
HEADERS = {
    # Nothing from elsewhere, nothing inline: what somebody smuggles into the page stays text.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@router.get("/")
async def home() -> Response:
    """In development people come here first."""
    if get_settings().environment != "development":
        raise NotFound
    return RedirectResponse("/app")


@router.get("/app")
async def page() -> Response:
    return _file("index.html")


@router.get("/app/{name}")
async def part(name: str) -> Response:
    return _file(name)


@cache
def _file(name: str) -> Response:
    if name not in FILES:
        raise NotFound
    # The page tells its script where the API is.
    folder = files("groundwork.jobs" if name == "live.js" else "app.web")
    text = folder.joinpath(name).read_text("utf-8").replace("%API%", API)
    return Response(text, media_type=f"text/{FILES[name]}", headers=HEADERS)
