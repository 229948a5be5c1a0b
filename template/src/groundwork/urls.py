"""The URLs of databases and brokers: the place that people may see, and the passwords that they may not."""

from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

__all__ = ["passwords_of", "place_of"]


def passwords_of(urls: str) -> set[str]:
    """Those before the hosts and those among the parameters; Celery takes several URLs, with semicolons between them."""
    found = set()
    for url in map(urlsplit, urls.split(";")):
        found |= {unquote(url.password or ""), *parse_qs(url.query).get("password", [])}
    return found


def place_of(url: str) -> str:
    """The URL without its password, and of its parameters those that say where it leads; a path stays as it is."""
    scheme, found, rest = url.partition("://")
    place, _, query = rest.partition("?")
    if "@" in query:
        # A part of a password, on one side of it or the other.
        place, query = "...", ""
    parameters = "&".join(f"{name}={value}" for name, value in parse_qsl(query) if name in {"host", "port"})
    user, at, host = place.rpartition("@")
    shown = unquote(user.partition(":")[0] + at + host) + (f"?{parameters}" if parameters else "")
    return f"{scheme}://{shown}" if found else url
