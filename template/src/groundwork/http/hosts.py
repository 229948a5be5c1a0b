"""Names of this service: requests for others are refused."""

import re
from ipaddress import ip_address

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from groundwork.http.problem import Problem, refuse
from groundwork.log import Seldom
from groundwork.settings import Settings
from groundwork.sites import host_name

__all__ = ["HostUnknown", "KnownHosts", "known_hosts"]

log = structlog.get_logger(__name__)

# A name, or an IPv6 address in brackets; the port says nothing about who is meant.
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]*[a-z0-9_-])\.?(:\d*)?", re.IGNORECASE)
REMEDY = (
    "let the proxy pass the client's Host on, which nginx does with `proxy_set_header Host $http_host;`,"
    " or add the name to TRUSTED_HOSTS"
)


class HostUnknown(Problem):
    """This service has another name."""

    status, code, title = 400, "host-unknown", "Host unknown"


def known_hosts(settings: Settings) -> list[str]:
    """Names in lower case; empty: any."""
    ours = host_name(str(settings.public_url.host))
    if settings.trusted_hosts:
        # Mailed links lead to the first one.
        return [ours, *settings.listed(settings.trusted_hosts)]
    if settings.environment == "test":
        return []
    return [ours] if settings.environment == "production" else [ours, "localhost"]


class KnownHosts:
    """Refuses other names than ours, but for the probes of container platforms, which ask by address.

    In development people ask by address too, by that of a container or from another machine.
    """

    def __init__(self, app: ASGIApp, hosts: list[str], addresses: bool) -> None:
        self.app, self.hosts, self.addresses = app, frozenset(hosts), addresses
        self.seldom = Seldom(60)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not self._probes(scope):
            # More than one is a trick: others might read another one than we do.
            given = [value for name, value in scope["headers"] if name == b"host"]
            if len(given) != 1 or not self._known(_name(given[0].decode("latin-1"))):
                if self.seldom():
                    # Without signs that a terminal would obey.
                    host = b", ".join(given)[:100].decode("ascii", "backslashreplace")
                    log.warning(
                        "a request was refused: its Host is not known",
                        host=host,
                        known=sorted(self.hosts),
                        remedy=REMEDY,
                    )
                await refuse(HostUnknown(), scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _probes(self, scope: Scope) -> bool:
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        return path.startswith("/health/")

    def _known(self, name: str) -> bool:
        try:
            # An IPv6 address has several spellings.
            address = str(ip_address(name))
        except ValueError:
            return name in self.hosts
        return self.addresses or address in self.hosts


def _name(host: str) -> str:
    match = HOST.fullmatch(host)
    return match[1].lower().strip("[]") if match else ""
