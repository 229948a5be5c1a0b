"""The command line, and what commands say to a person."""

from groundwork.tools.commands import cli
from groundwork.tools.correctable import plain_errors
from groundwork.tools.terminal import stop

__all__ = ["cli", "plain_errors", "stop"]
