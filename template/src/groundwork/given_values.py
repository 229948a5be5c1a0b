"""What shells, secret stores and containers add to a value: spaces, line breaks, quotes. And lines of .env that are none."""

import re
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream

from groundwork.configuration import SettingsInvalid

__all__ = ["bare", "refuse_unreadable_lines"]

CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def bare(name: str, value: Any) -> Any:
    """The value without what surrounds it; raises ValueError with a sentence that does not repeat it."""
    if not isinstance(value, str):
        return value
    # A password may begin or end with a space, or have quotes.
    secret = name.endswith("password")
    value = value.strip("\r\n" if secret else None)
    # What a key may not have is said of all of it: see providers.py.
    if CONTROL.search(value) and not name.endswith(("_key", "_token")):
        raise ValueError("has a line break or another control character in it; write it on one line")
    first, last, inside = value[:1], value[-1:], value[1:-1]
    if first in {"'", '"'} and first == last and first not in inside and len(value) > 1 and not secret:
        raise ValueError("has quotes around it, which `docker --env-file` and secret stores keep; remove them")
    return value


def refuse_unreadable_lines(file: str) -> None:
    """Raise SettingsInvalid for a line that would be passed over, and its setting with it."""
    if not Path(file).is_file():
        return
    with open(file, encoding="utf-8-sig") as lines:
        for part in parse_stream(lines):
            if part.error:
                line = part.original.line + part.original.string[: -len(part.original.string.lstrip())].count("\n")
                raise SettingsInvalid(f"{file}, line {line}: cannot be read; write NAME=value, and close its quotes.")
