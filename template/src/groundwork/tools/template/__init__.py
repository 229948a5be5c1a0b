"""The template that made this service: its releases, and how they are merged."""

from groundwork.tools.template.commands import template

__all__ = ["template"]
