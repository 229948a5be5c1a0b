"""Names of the service: which are known, and how people learn that one is not."""

import pytest
from fastapi.testclient import TestClient
from support import warnings

from app.main import create_app
from groundwork.testing import SetVariable


def codes(*hosts: str) -> list[int]:
    """Of requests with these Host headers, at a service that is made anew."""
    client = TestClient(create_app())
    return [client.get("/nothing", headers={"Host": host}).status_code for host in hosts]


@pytest.mark.parametrize(
    ("setting", "host"),
    [
        ("my_api", "my_api"),
        ("my_api", "MY_API:8000"),
        ("_", "_"),
        ("::1", "[::1]:8000"),
        ("[::1]", "[::1]"),
        ("2001:DB8:0::1", "[2001:db8::1]"),
        ("::1", "[0:0:0:0:0:0:0:1]"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("Example.org.", "example.org"),
        ("example.org", "example.org.:443"),
        ("192.0.2.7, my_api", "192.0.2.7"),
    ],
)
def test_names_of_containers_addresses_and_other_alphabets_can_be_trusted(
    set_variable: SetVariable, setting: str, host: str
) -> None:
    set_variable("TRUSTED_HOSTS", setting)

    assert codes(host, "evil.example") == [404, 400]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://my_api:8000", "my_api:8000"),
        ("http://[0::1]:8000", "[::1]:8000"),
        ("https://Bücher.example", "xn--bcher-kva.example"),
        ("https://example.org.", "example.org"),
    ],
)
@pytest.mark.parametrize("others", ["", "other.example"])
def test_the_name_in_public_url_is_always_known(set_variable: SetVariable, url: str, host: str, others: str) -> None:
    """Mailed links lead there, also where TRUSTED_HOSTS has more names."""
    set_variable("ENVIRONMENT", "development")
    set_variable("PUBLIC_URL", url)
    set_variable("TRUSTED_HOSTS", others)

    assert codes(host, "evil.example") == [404, 400]


def test_the_log_names_an_unknown_host_and_the_remedy_once_a_minute(
    set_variable: SetVariable, capsys: pytest.CaptureFixture[str]
) -> None:
    set_variable("TRUSTED_HOSTS", "example.org")

    assert codes(*["api_upstream"] * 20) == [400] * 20

    [said] = warnings(capsys)
    assert said["host"] == "api_upstream"
    assert "example.org" in said["known"]
    assert "TRUSTED_HOSTS" in said["remedy"]
    assert "proxy_set_header Host" in said["remedy"]


def test_a_host_cannot_write_to_a_terminal_or_fill_the_log(
    set_variable: SetVariable, capsys: pytest.CaptureFixture[str]
) -> None:
    set_variable("TRUSTED_HOSTS", "example.org")
    client = TestClient(create_app())

    client.get("/", headers={b"Host": b"a\x9b31m" + b"b" * 5000})

    [said] = warnings(capsys)
    assert r"\x9b31mbbb" in said["host"]
    assert len(said["host"]) < 120
