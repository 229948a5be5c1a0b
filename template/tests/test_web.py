"""The page's files; what a person does with it is tested in a browser, by the template."""

import re

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.settings import API


@pytest.mark.parametrize("path", ["/app", "/app/app.js", "/app/chart.js", "/app/live.js", "/app/style.css"])
def test_the_page_is_whole_and_lets_in_nothing_from_elsewhere(client: TestClient, path: str) -> None:
    reply = client.get(path)

    assert reply.status_code == 200
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http://" not in reply.text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in reply.text
    assert "innerHTML" not in reply.text
    assert "<script>" not in reply.text
    parts = {part.partition('"')[0] for part in reply.text.replace("href=", "src=").split('src="')[1:]}
    assert {client.get(part).status_code for part in parts} <= {200}


def test_the_page_asks_only_for_what_the_api_has(api: FastAPI, client: TestClient) -> None:
    """What an owner removes from one they remove from the other, as the guide says of the sample."""
    assert f'data-api=".{API}"' in client.get("/app").text
    asked = re.findall(r'\bask\("([A-Z]+)", ["`](/[^"`]+)', client.get("/app/app.js").text)

    routes = {(method.upper(), path) for path, methods in api.openapi()["paths"].items() for method in methods}
    known = {(method, re.sub(r"\{.*?\}", "...", path)) for method, path in routes}
    assert {(method, API + re.sub(r"\$\{.*?\}", "...", path)) for method, path in asked} <= known


def test_the_script_uses_only_parts_that_the_page_has(client: TestClient) -> None:
    script, page = client.get("/app/app.js").text, client.get("/app").text

    assert set(re.findall(r'\$\("([\w-]+)"\)', script)) <= set(re.findall(r'\bid="([\w-]+)"', page))
    classes = set(" ".join(re.findall(r'\bclass="([^"]+)"', page)).split())
    assert set(re.findall(r'\b(?:querySelector|set)\("\.([\w-]+)"', script)) <= classes


@pytest.mark.parametrize("path", ["/app/nothing.js", "/app/routes.py", "/app/..%2Fsettings.py"])
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_in_production_the_root_is_nothing(client: TestClient) -> None:
    assert client.get("/").status_code == 404


def test_in_development_people_come_to_the_page_first(development: TestClient) -> None:
    assert development.get("/", follow_redirects=False).headers["location"] == "/app"
