"""What the service knows of the client that sends a request."""

import pytest

from groundwork.http.client import Client, device_of

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (FIREFOX, "Firefox on Linux"),
        (CHROME, "Chrome on Windows"),
        (CHROME + " Edg/142.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("curl/8.14.1", "curl"),
        ("", "an unknown device"),
        ("/", "an unknown device"),
    ],
)
def test_a_device_has_a_name_that_people_know(agent: str, device: str) -> None:
    assert device_of(agent) == device


def test_neighbours_in_one_ipv6_network_are_one_client() -> None:
    assert Client("2001:db8:1:2:3:4:5:6").network == Client("2001:db8:1:2::1").network
    assert Client("192.0.2.1").network != Client("192.0.2.2").network
    assert Client("::ffff:192.0.2.1").network == Client("192.0.2.1").network != Client("::ffff:192.0.2.2").network
