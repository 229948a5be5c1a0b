"""Who sends a request, as far as anybody can tell: where from, and with what."""

from ipaddress import IPv6Address, ip_address
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

from fastapi import Depends
from fastapi.requests import HTTPConnection

from groundwork.settings import get_settings

__all__ = ["Client", "ClientDep", "client_of", "from_known_page", "from_our_page"]

# What these words in a User-Agent stand for; the first that fits counts, since browsers claim to be each other.
BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "Firefox": "Firefox",
    "Chrome": "Chrome",
    "CriOS": "Chrome",
    "Safari": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "Linux": "Linux",
}


class Client(NamedTuple):
    """The client of a request or a socket: its IP address, and its device in words such as "Firefox on Linux".

    Behind a proxy that uvicorn trusts (FORWARDED_ALLOW_IPS), the address is the one that the proxy names.
    """

    address: str = ""
    device: str = ""

    @property
    def network(self) -> str:
        """Whoever has one IPv6 address has the 2**64 around it too."""
        try:
            address = ip_address(self.address)
        except ValueError:
            return self.address
        if isinstance(address, IPv6Address):
            # A server that listens on both names an IPv4 client ::ffff:192.0.2.1.
            address = address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64)
        return str(address)


async def client_of(request: HTTPConnection) -> Client:
    """The dependency of `ClientDep`; tests override it."""
    return Client(request.client.host if request.client else "", device_of(request.headers.get("User-Agent", "")))


ClientDep = Annotated[Client, Depends(client_of)]


def device_of(agent: str) -> str:
    """Without versions: a new one of the same browser is no new device."""
    browser = next((name for word, name in BROWSERS.items() if word in agent), "")
    system = next((name for word, name in SYSTEMS.items() if word in agent), "")
    if browser and system:
        return f"{browser} on {system}"
    # A program names itself first, as in curl/8.14.
    words = agent.partition("/")[0].split()
    return browser or system or (words[0][:40] if words else "an unknown device")


def from_known_page(connection: HTTPConnection) -> bool:
    """The same as `from_our_page`, or from a site in CORS_ORIGINS: for what takes a token, and no cookie."""
    settings = get_settings()
    return from_our_page(connection) or connection.headers["Origin"] in settings.listed(settings.cors_origins)


def from_our_page(connection: HTTPConnection) -> bool:
    """Whether a request or a socket is from a page of this site, or from a program: programs send no Origin."""
    origin = connection.headers.get("Origin")
    ours, here = urlsplit(str(get_settings().public_url)), connection.url
    return origin is None or origin in (
        f"{ours.scheme}://{ours.netloc}",
        f"{here.scheme.replace('ws', 'http')}://{here.netloc}",
    )
