"""The command line: `uv run app --help`."""

from groundwork.tools import cli

__all__ = ["cli"]

cli.add_lazy("create-admin", "app.accounts.commands:create_admin", "Add a verified user whose `admin` is true.")

# Your own commands go below this line.


if __name__ == "__main__":
    cli()
