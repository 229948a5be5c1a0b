"""The service below a path of its host, with proxies that take the path away and with others."""

import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urljoin

import pytest
from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect
from support import warnings

from app.main import create_app
from app.settings import API
from groundwork.mail.callback import Callback, callback_of
from groundwork.settings import SettingsInvalid, get_settings
from groundwork.testing import SetVariable

# A path, and what the proxy and the server do with it. The first routes of the service are below /api, too.
PLACES = [
    ("/base", "passes"),
    ("/base", "strips"),
    ("/base", "passes, --root-path"),
    ("/two/parts", "strips, --root-path"),
    ("/base", "passes, --root-path/"),
    ("/api", "strips"),
    ("/api", "passes"),
]


class Proxy:
    """A proxy for `path` of a host, and the server behind it, as uvicorn gives paths to the application."""

    def __init__(self, app: ASGIApp, path: str, kind: str) -> None:
        self.app, self.path, self.kind = app, path, kind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            path = scope["path"]
            assert path.startswith(f"{self.path}/"), f"{path} is not below {self.path}"
            if "strips" in self.kind:
                path = path.removeprefix(self.path)
            root = self.path if "--root-path" in self.kind else ""
            # A slash at the end of the option stays.
            root += "/" if self.kind.endswith("/") else ""
            scope = {**scope, "path": root + path, "root_path": root}
        await self.app(scope, receive, send)


@pytest.fixture(params=PLACES, ids=" ".join)
def place(request: pytest.FixtureRequest) -> tuple[str, str]:
    path, kind = request.param
    return path, kind


@pytest.fixture
def path(place: tuple[str, str]) -> str:
    return place[0]


@pytest.fixture
def below(set_variable: SetVariable, place: tuple[str, str]) -> Iterator[TestClient]:
    set_variable("ENVIRONMENT", "development")
    set_variable("PUBLIC_URL", f"http://testserver{place[0]}/")
    with TestClient(Proxy(create_app(), *place), follow_redirects=False) as client:
        yield client


PAGES = ["/app", "/account/verify", "/account/reset-password", "/docs", "/dev/mail", "/dev/mail/templates/verify"]


def test_pages_have_their_parts_and_know_where_the_api_is(below: TestClient, path: str) -> None:
    for page in PAGES:
        text = below.get(f"{path}{page}").text
        parts = re.findall(r'(?:src|href)="([^"#]+)"', text) + re.findall(r'sends-to="([^"]+)"', text)
        parts += [f"{api}/openapi" for api in re.findall(r'data-api="([^"]+)"', text)]
        assert parts
        found = {urljoin(f"{path}{page}", part) for part in parts}
        assert {each for each in found if below.get(each).status_code not in (200, 404, 405)} == set()
        assert all(each.startswith(f"{path}/") for each in found)
        assert {each for each in found if below.get(each).status_code == 404} <= {f"{path}{API}/openapi"}


def test_routes_redirects_and_cookies_are_below_the_path(below: TestClient, path: str) -> None:
    assert below.get(f"{path}/health/live", headers={"Host": "10.0.0.7"}).status_code == 200
    assert below.get(f"{path}{API}/users/me").status_code == 401
    assert below.get(f"{path}/nothing").status_code == 404
    assert below.get(f"{path}/").headers["location"] == f"{path}/app"
    assert below.get(f"{path}/admin").headers["location"] == f"{path}/admin/"
    assert below.get(f"{path}/admin/").headers["location"].endswith(f"{path}/admin/login")
    assert below.get(f"{path}/admin/statics/css/tabler.min.css").status_code == 200
    assert below.get(f"{path}/openapi.json").json()["servers"] == [{"url": path}]
    with pytest.raises(WebSocketDisconnect) as refused, below.websocket_connect(f"{path}{API}/jobs/events"):
        pass
    assert refused.value.code == 1008
    assert "ticket" in refused.value.reason


def test_the_servers_root_path_alone_is_enough_for_pages(capsys: pytest.CaptureFixture[str]) -> None:
    """And not for mail: the log says so, once."""
    with TestClient(Proxy(create_app(), "/base", "strips, --root-path"), follow_redirects=False) as client:
        assert client.get("/base/app").status_code == 200
        assert client.get("/base/admin").headers["location"] == "/base/admin/"

    [said] = warnings(capsys)
    assert said["root_path"] == "/base"
    assert "set PUBLIC_URL to" in said["remedy"]


def test_what_names_the_path_already_stays_as_it_is(set_variable: SetVariable) -> None:
    set_variable("PUBLIC_URL", "http://testserver/Base/")
    api = create_app()

    @api.get("/home")
    def home(request: Request, to: str) -> Response:
        reply = RedirectResponse(to)
        reply.set_cookie("mine", "1", path=request.scope["root_path"])
        return reply

    @api.post("/report")
    def report(callback: Annotated[Callback, Depends(callback_of)]) -> str:
        return callback.url

    with TestClient(Proxy(api, "/Base", "strips"), follow_redirects=False) as client:
        # Some providers sign the URL to which they report.
        assert client.post("/Base/report?x=1").json() == "http://testserver/Base/report?x=1"
        replies = [client.get("/Base/home", params={"to": to}) for to in ("/Base", "/Base?x=1", "/Basement", "//evil")]

    assert [reply.headers["location"] for reply in replies] == ["/Base", "/Base?x=1", "/Base/Basement", "//evil"]
    assert {reply.headers["set-cookie"].partition("Path=")[2].partition(";")[0] for reply in replies} == {"/Base"}


def test_mailed_links_are_below_the_path(set_variable: SetVariable) -> None:
    set_variable("PUBLIC_URL", "https://example.org/base/")

    assert get_settings().link("/account/verify") == "https://example.org/base/account/verify"


@pytest.mark.parametrize(
    "url", ["https://example.org/base?x=1", "https://example.org/#app", "https://ada:secret-1@a.example"]
)
def test_a_url_that_paths_cannot_follow_is_refused_with_one_sentence(set_variable: SetVariable, url: str) -> None:
    set_variable("PUBLIC_URL", url)

    with pytest.raises(SettingsInvalid) as raised:
        get_settings()

    assert "PUBLIC_URL: has a query, a fragment or a user, and paths follow it" in str(raised.value)
    assert "secret-1" not in str(raised.value)
