"""Settings of the mail provider that no request could be made of: refused at the start, not with each message."""

import re
from typing import Any
from urllib.parse import urlsplit

__all__ = ["usable"]

# URLs of other servers have rules of their own.
OTHERS = ("database", "direct_database", "broker", "public")
KEYS = re.compile(r"(?!secret_key|health_token).*(_key|_token)")
KEY = re.compile(r"[!-~]*")
PORT = r"(:(?!0)(?:[0-5]?\d{1,4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]))"
CATCHES = re.compile(r"[a-z]+://|smtps?:", re.IGNORECASE)
CATCHER = re.compile(rf"smtp://([^\s/:@?#\[\]]+|\[[0-9a-fA-F:]+\]){PORT}?/?")
HOST = re.compile(r"[^\s/:@?#\[\]]+|[0-9a-fA-F:]+")


def usable(name: str, value: Any, default: Any) -> Any:
    """The value as requests are made of it; raises ValueError with a sentence that repeats no secret."""
    if not isinstance(value, str):
        return value
    if value and name.endswith(("_url", "_endpoint")) and not name.startswith(OTHERS):
        return _base(value.strip(), str(default or ""))
    if KEYS.fullmatch(name) and not KEY.fullmatch(value.strip()):
        raise ValueError("has a space, a line break or another character that no key has; copy it again")
    if KEYS.fullmatch(name):
        return value.strip()
    if name == "mail_outbox" and CATCHES.match(value) and not CATCHER.fullmatch(value):
        raise ValueError("is neither a folder nor the URL of a catcher; write smtp://host:port")
    if name == "mail_outbox" and re.fullmatch(r"~.*|[\w.-]+:\d+", value):
        raise ValueError(f"{value} would be a folder of this name; write its whole path, or smtp://host:port")
    if value and name.endswith(("_host", "_domain")) and not HOST.fullmatch(value):
        raise ValueError("is not a name; write mail.example.org, without scheme, port, path and brackets")
    return value


def _base(url: str, default: str) -> str:
    """The URL without a slash at its end."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        place = f"{host}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        raise ValueError("is not a URL such as https://api.example.org") from None
    more = parts.username is not None or "?" in url or "#" in url
    if parts.scheme not in {"http", "https"} or not place or more:
        raise ValueError("is not a URL such as https://api.example.org, without user, password and parameters")
    usual = urlsplit(default).path
    path = parts.path.rstrip("/")
    # A region may be its last part.
    if path.rpartition("/")[0] != usual.rpartition("/")[0] or bool(path) != bool(usual):
        wrong = f"has the path {path}" if path else f"lacks the path {usual}"
        raise ValueError(f"{parts.scheme}://{place}{path} {wrong}; write {parts.scheme}://{place}{usual}")
    return url.rstrip("/")
