"""The pages that mailed links open. Opening one changes nothing, for mail scanners follow links; its button does."""

from functools import cache
from importlib.resources import files

from fastapi.responses import HTMLResponse, Response

from app.settings import API
from groundwork.http import Router

router = Router(prefix="/account", include_in_schema=False)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)


@router.get("/verify")
async def verify() -> Response:
    return _page(
        "Verify your address",
        "One click, and your account is ready.",
        button="Verify my address",
        done="Your address is verified: sign in with your password. You can close this page.",
        sends_to=f"{API}/auth/verify",
    )


@router.get("/confirm-email")
async def confirm_email() -> Response:
    return _page(
        "Confirm your new address",
        "With your password, and your account uses this address.",
        button="Use this address",
        done="Your account uses this address from now on. You can close this page.",
        sends_to=f"{API}/auth/confirm-email",
        asks="current_password",
    )


@router.get("/reset-password")
async def reset_password() -> Response:
    return _page(
        "Choose a new password",
        "Ten characters or more; four words that do not belong together are good.",
        button="Use this password",
        done="Your password is changed, and every device is signed out. You can close this page.",
        sends_to=f"{API}/auth/reset-password",
        asks="password",
    )


@router.get("/forgotten-password")
async def forgotten_password() -> Response:
    return _page(
        "Forgotten your password?",
        "A link to choose a new one comes by mail.",
        button="Send me the link",
        done="Read your mail: if the address has an account, the link is on its way.",
        sends_to=f"{API}/auth/forgotten-password",
        asks="email",
        needs_token=False,
    )


@cache
def _page(
    title: str, says: str, *, button: str, done: str, sends_to: str, asks: str = "", needs_token: bool = True
) -> Response:
    # Only now: with the first page that somebody opens, and not with the service.
    from jinja2 import Environment, StrictUndefined

    source = _file("page.html")
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    values = {"title": title, "says": says, "button": button, "done": done, "sends_to": sends_to}
    html = page.from_string(source).render(values, asks=asks, needs_token=needs_token)
    return HTMLResponse(html, headers={"Content-Security-Policy": POLICY})


@router.get("/page.js")
async def script() -> Response:
    return Response(_file("page.js"), media_type="text/javascript")


@router.get("/page.css")
async def style() -> Response:
    return Response(_file("page.css"), media_type="text/css")


@cache
def _file(name: str) -> str:
    return files("app.accounts.pages").joinpath(name).read_text("utf-8")
