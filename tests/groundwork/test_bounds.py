"""What one client can send to keep a process busy, and the bounds of it."""

from collections.abc import Iterator
from time import process_time
from typing import Annotated

import pytest
from fastapi import File, UploadFile
from fastapi.testclient import TestClient
from people import PASSWORD

from app.accounts.models import User
from app.accounts.passwords import easily_guessed
from app.main import create_app
from app.settings import API

FORM = '--x\r\nContent-Disposition: form-data; name="username"\r\n\r\n{}\r\n--x\r\nContent-Disposition: form-data; name="password"\r\n\r\n{}\r\n--x--\r\n'
MULTIPART = "multipart/form-data; boundary=x"


@pytest.fixture(scope="module")
def with_files() -> Iterator[TestClient]:
    """A client of an API with a route that takes a file."""
    api = create_app()

    @api.post("/files/{name}")
    async def keep(name: str, file: UploadFile, note: Annotated[bytes, File()] = b"") -> str:
        return (await file.read()).decode() + note.decode()

    with TestClient(api, raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("path", [f"{API}/auth/token", "/admin/login"])
@pytest.mark.parametrize(
    "kind",
    [
        MULTIPART,
        *[f"{MULTIPART}; charset={codec}" for codec in ("punycode", "utf-7", '"unicode_escape"')],
        *[f"application/x-www-form-urlencoded; CHARSET={codec}" for codec in ("punycode", "utf-7", "latin-1")],
    ],
)
def test_a_form_is_urlencoded_and_in_utf_8(client: TestClient, user: User, path: str, kind: str) -> None:
    content = FORM.format(user.email, "+2AA-\\ud800")
    if "form-data" not in kind:
        content = f"username={user.email}&password={PASSWORD}"

    reply = client.post(path, content=content, headers={"Content-Type": kind, "Origin": "http://testserver"})

    assert (reply.status_code, reply.json()["type"]) == (415, "urn:problem:unsupported-media-type")


def test_a_form_may_say_that_it_is_in_utf_8(client: TestClient, user: User) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}

    reply = client.post(f"{API}/auth/token", content=f"username={user.email}&password={PASSWORD}", headers=headers)

    assert reply.status_code == 200


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-32", "utf-32-be"])
def test_json_is_in_utf_8(client: TestClient, codec: str) -> None:
    """Python's json reads UTF-16 and UTF-32 too."""
    content = '{"email": "ada@example.org"}'.encode(codec)
    kinds = ["application/json", "application/problem+json", f"application/json; charset={codec}"]

    replies = [
        client.post(f"{API}/auth/forgotten-password", content=content, headers={"Content-Type": kind}) for kind in kinds
    ]

    assert [reply.status_code for reply in replies] == [422, 422, 415]


def test_half_a_character_is_refused_wherever_a_text_has_it(client: TestClient) -> None:
    half = b"\\ud800"
    bodies = {
        "auth/refresh": b'{"refresh_token": "%s"}',
        "auth/verify": b'{"token": "%s"}',
        "auth/forgotten-password": b'{"email": "%s@example.org"}',
        "users": b'{"email": "new@example.org", "password": "%s and ten more"}',
    }

    headers = {"Content-Type": "application/json"}
    replies = [
        client.post(f"{API}/{path}", content=body.replace(b"%s", half), headers=headers)
        for path, body in bodies.items()
    ]

    assert [reply.status_code for reply in replies] == [422] * 4


def test_a_route_that_declares_a_file_takes_multipart_in_utf_8(with_files: TestClient) -> None:
    files = {"file": ("a.txt", "é".encode()), "note": ("note", b"!")}
    taken = with_files.post("/files/a", files=files)
    codec = {"Content-Type": f"{MULTIPART}; charset=punycode"}
    refused = with_files.post("/files/a", content=FORM, headers=codec)
    cut = with_files.post("/files/a", content=b"--x\r\nnothing", headers={"Content-Type": MULTIPART})
    elsewhere = [with_files.post(path, files=files) for path in (f"{API}/auth/token", f"{API}/users", "/nothing")]
    other = with_files.put("/files/a", files=files)

    assert (taken.status_code, taken.json()) == (200, "é!")
    assert (refused.status_code, cut.status_code, other.status_code) == (415, 422, 415)
    assert [reply.status_code for reply in elsewhere] == [415] * 3


def test_cookies_have_a_bound(client: TestClient) -> None:
    """Python before 3.11.10 takes quadratic time to read one: 3 s for 50 kB."""
    cookie = 'admin-page="' + '\\"' * 4000 + '"'
    some, many = ([("Cookie", "a=" + "b" * 4000)] * number for number in (2, 3))

    replies = [client.get("/admin/", headers=headers) for headers in ({"Cookie": cookie + "x" * 200}, many)]

    assert [reply.status_code for reply in replies] == [431] * 2
    assert {reply.json()["type"] for reply in replies} == {"urn:problem:cookies-too-large"}
    assert client.get("/health/live", headers=some).status_code == 200


def test_no_password_keeps_a_process_busy(client: TestClient) -> None:
    """This one has 736 readings, each of which took as long as an ordinary password."""
    chosen = "t<75{A[(9slo@d5!0t-$6sd+<.{5l|41"
    new = {"email": "ada@example.org", "password": chosen}
    client.post(f"{API}/users", json=new | {"password": "four words of mine"})

    began = process_time()
    reply = client.post(f"{API}/users", json=new)

    assert reply.status_code == 202
    assert process_time() - began < 0.2
    # What is looked at of it is enough.
    assert easily_guessed("1!|7+({[4@" + chosen, "") == ""
    assert easily_guessed("p4$$w0rd", "") != ""
