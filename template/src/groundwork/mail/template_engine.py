"""The engine behind the templates of messages. Workers load it when they start, and others with the first message."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from css_inline import CSSInliner
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from groundwork.settings import get_settings

__all__ = ["make_templates", "with_inline_styles"]

# Rules that no style attribute can express stay in <style>: dark mode, and the narrow screen of a phone.
INLINER = CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)


def make_templates(folders: Sequence[Path]) -> Environment:
    """The templates of these folders; the first one that has a name wins."""
    templates = Environment(
        loader=FileSystemLoader(folders),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["project_name"] = get_settings().project_name
    templates.filters["moment"] = _moment
    return templates


def with_inline_styles(html: str) -> str:
    """Many mail programs read styles only in attributes."""
    return INLINER.inline(html)


def _moment(at: datetime) -> str:
    """With the month in words: 1/2/2030 is two days."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y at %H:%M} UTC"
