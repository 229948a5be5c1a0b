"""Names of this service: requests for others are refused."""

import re
from ipaddress import ip_address

import structlog
from starlette.types import Scope

from groundwork.http.probes import probes
from groundwork.http.problem import Problem
from groundwork.log import Seldom
from groundwork.settings import Settings
from groundwork.sites import host_name

__all__ = ["HostUnknown", "Hosts"]

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


class Hosts:
    """The names that this service is known by.

    Probes of container platforms ask by address; in development people do too, by that of a container or from another
    machine.
    """

    def __init__(self, settings: Settings) -> None:
        self.names = frozenset(_names(settings))
        # In development too: a page whose name leads to this machine, by DNS rebinding, would read /dev/mail.
        self.addresses = settings.environment == "development"
        self.seldom = Seldom(60)

    def unknown(self, scope: Scope, given: list[bytes]) -> bool:
        """Whether a request with these `Host` headers is for somebody else; once a minute the log says so."""
        # More than one is a trick: others might read another one than we do.
        if not self.names or (len(given) == 1 and self._known(_name(given[0].decode("latin-1")))) or probes(scope):
            return False
        if self.seldom():
            # Without signs that a terminal would obey.
            host = b", ".join(given)[:100].decode("ascii", "backslashreplace")
            log.warning(
                "a request was refused: its Host is not known", host=host, known=sorted(self.names), remedy=REMEDY
            )
        return True

    def _known(self, name: str) -> bool:
        if name in self.names:
            return True
        try:
            # An IPv6 address has several spellings.
            address = str(ip_address(name))
        except ValueError:
            return False
        return self.addresses or address in self.names


def _names(settings: Settings) -> list[str]:
    """In lower case; empty: any."""
    ours = host_name(str(settings.public_url.host))
    if settings.trusted_hosts:
        # Mailed links lead to the first one.
        return [ours, *settings.listed(settings.trusted_hosts)]
    if settings.environment == "test":
        return []
    return [ours] if settings.environment == "production" else [ours, "localhost"]


def _name(host: str) -> str:
    match = HOST.fullmatch(host)
    return match[1].lower().strip("[]") if match else ""
