"""The names of hosts, the origins of pages, and the service's own URL, as settings have them."""

import re
from ipaddress import ip_address

from pydantic import HttpUrl, TypeAdapter, ValidationError

__all__ = ["base_url", "host_name", "origin", "recipient"]

URL: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)
# With an underscore too: names of containers have them.
NAME = r"\w[\w-]*(?:\.\w[\w-]*)*\.?"
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def host_name(text: str) -> str:
    """The name or the address of a host as browsers send it; raises ValueError with a sentence."""
    wrong = ValueError(f"{text!r} is not a name of a host; use app.example.org, without scheme, port or star")
    bare = text.removeprefix("[").removesuffix("]")
    try:
        return str(ip_address(bare))
    except ValueError:
        if not re.fullmatch(NAME, text):
            raise wrong from None
    try:
        return str(URL.validate_python(f"http://{text}").host).rstrip(".")
    except ValidationError:
        raise wrong from None


def origin(text: str) -> str:
    """The origin of a page as browsers send it, of an app's page too; raises ValueError with a sentence."""
    found = re.fullmatch(rf"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|{NAME})(:\d+)?", text, re.IGNORECASE)
    if found is None:
        raise ValueError(f"{text!r} is not an origin; use https://app.example.org, without path or star")
    scheme, host, port = found[1].lower(), found[2], found[3] or ""
    if scheme not in DEFAULT_PORTS:
        return text.lower()
    if int(port[1:] or 0) > 65535:
        raise ValueError(f"{text!r} is not an origin; ports end at 65535")
    name, port = host_name(host), f":{int(port[1:])}" if port else ""
    return f"{scheme}://" + (f"[{name}]" if ":" in name else name) + ("" if port == DEFAULT_PORTS[scheme] else port)


def base_url(text: str) -> str:
    """The URL as it is, where paths can follow it; raises ValueError with a sentence."""
    if "://" not in text:
        rest = re.sub(r"^\w*:?/+", "", text)
        raise ValueError(f"{text!r} is not a URL; use https://{rest}")
    if re.search(r"[?#@]", text):
        raise ValueError("has a query, a fragment or a user, and paths follow it; write https://app.example.org/path")
    return text


def recipient(text: str) -> str:
    """An address, or a domain after its @; raises ValueError with a sentence."""
    if not re.fullmatch(r"[^@\s;*<>]*@[^@\s;*<>]+", text):
        raise ValueError(f"{text!r} is neither an address nor a domain; use ada@example.org or @example.org")
    return text
