"""The command line: `uv run app --help`."""

from app.accounts.commands import create_admin
from groundwork.tools import cli

__all__ = ["cli"]

cli.command()(create_admin)

# Your own commands go below this line.


if __name__ == "__main__":
    cli()
