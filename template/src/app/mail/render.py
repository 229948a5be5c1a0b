"""Messages from templates: a folder each, with subject.txt, body.txt, body.html and the values of an example."""

import tomllib
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from css_inline import CSSInliner
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from app.mail.message import Address, Message
from app.settings import get_settings

__all__ = ["example", "names", "render"]

FOLDER = files("app.mail").joinpath("templates")
# What a style attribute cannot say stays in <style>: dark mode, and the narrow screen of a phone.
INLINER = CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)


@cache
def _templates() -> Environment:
    loader = PackageLoader("app.mail", "templates")
    templates = Environment(
        loader=loader,
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["project_name"] = get_settings().project_name
    templates.filters["moment"] = _moment
    return templates


def _moment(at: datetime) -> str:
    """With the month in words: 1/2/2030 is two days."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y at %H:%M} UTC"


def render(name: str, to: str, **values: Any) -> Message:
    """The message of mail/templates/<name>/; a value that the template misses is an error."""
    subject, text, html = (
        _templates().get_template(f"{name}/{part}").render(values) for part in ("subject.txt", "body.txt", "body.html")
    )
    return Message(to=(Address(to),), subject=subject.strip(), text=text, html=INLINER.inline(html))


def names() -> list[str]:
    """Of all messages that there are templates of."""
    return sorted(folder.name for folder in FOLDER.iterdir() if folder.is_dir())


def example(name: str) -> dict[str, Any]:
    """Values of each kind that the message needs, for its preview and its test."""
    return tomllib.loads(FOLDER.joinpath(name, "example.toml").read_text("utf-8"))
