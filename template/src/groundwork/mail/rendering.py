"""Messages from templates. Each has a folder with subject.txt, body.txt, body.html, and example.toml for its preview."""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from groundwork.configuration import configuration
from groundwork.mail.message import Address, Attachment, Message

__all__ = ["example", "names", "render"]


def render(
    name: str,
    to: Address | str,
    *,
    attachments: Sequence[Attachment] = (),
    reply_to: Address | str | None = None,
    **values: Any,
) -> Message:
    """The message of the folder `mail/<name>/` of a feature, filled in with `values`.

    Raises jinja2.TemplateNotFound for an unknown name, jinja2.UndefinedError for a value that the template misses, and
    MessageInvalid for what no provider would send. `project_name` and the filter `moment`, for times, are always there.
    """
    # Only now, here and below: the API, the relay and the commands render nothing, and need not load the engine.
    from groundwork.mail.template_engine import with_inline_styles

    subject, text, html = (
        _templates().get_template(f"{name}/{part}").render(values) for part in ("subject.txt", "body.txt", "body.html")
    )
    return Message(
        to=(_address(to),),
        reply_to=() if reply_to is None else (_address(reply_to),),
        subject=subject.strip(),
        text=text,
        html=with_inline_styles(html),
        attachments=tuple(attachments),
    )


def names() -> list[str]:
    """The names of all messages."""
    return sorted(_folders())


def example(name: str) -> dict[str, Any]:
    """Values for the preview of a message and for its test."""
    return tomllib.loads((_folders()[name] / "example.toml").read_text("utf-8"))


def _address(text: Address | str) -> Address:
    return text if isinstance(text, Address) else Address(text)


def _search_path() -> list[Path]:
    """Features first: a `layout.html` in the folder `mail` of one replaces that of the groundwork."""
    features = [feature / "mail" for feature in configuration().features]
    return [folder for folder in features if folder.is_dir()] + [Path(__file__).parent / "templates"]


@cache
def _folders() -> dict[str, Path]:
    """The folder of each message; raises ValueError where two have one name."""
    folders: dict[str, Path] = {}
    for subject in (file for folder in _search_path() for file in sorted(folder.glob("*/subject.txt"))):
        folder = subject.parent
        if other := folders.get(folder.name):
            raise ValueError(
                f"Two messages are named {folder.name!r}, {other} and {folder}; rename one of the folders."
            )
        folders[folder.name] = folder
    return folders


@cache
def _templates() -> Any:
    from groundwork.mail.template_engine import make_templates

    return make_templates(_search_path())
