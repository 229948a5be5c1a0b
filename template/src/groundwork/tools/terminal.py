"""What commands say to a person."""

from urllib.parse import parse_qsl, unquote

import typer

__all__ = ["place_of", "stop"]


def stop(sentence: str) -> typer.Exit:
    """Print why the command ends, in red on stderr; raise what it returns. The exit code is 1."""
    typer.secho(sentence, fg="red", err=True)
    return typer.Exit(1)


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
