"""Messages from templates: a folder each, with subject.txt, body.txt and body.html."""

from functools import cache
from typing import Any

import css_inline
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from app.mail.message import Message
from app.settings import get_settings

__all__ = ["render"]


@cache
def _templates() -> Environment:
    loader = PackageLoader("app.mail", "templates")
    templates = Environment(
        loader=loader, autoescape=select_autoescape(["html"]), undefined=StrictUndefined, trim_blocks=True
    )
    templates.globals["project_name"] = get_settings().project_name
    return templates


def render(name: str, to: str, **values: Any) -> Message:
    """The message of mail/templates/<name>/; a value that the template misses is an error."""
    subject, text, html = (
        _templates().get_template(f"{name}/{part}").render(values) for part in ("subject.txt", "body.txt", "body.html")
    )
    return Message(to=to, subject=subject.strip(), text=text, html=css_inline.inline(html))
