"""What commands say to a person."""

import typer

__all__ = ["stop"]


def stop(sentence: str) -> typer.Exit:
    """Print why the command ends, in red on stderr; raise what it returns. The exit code is 1."""
    typer.secho(sentence, fg="red", err=True)
    return typer.Exit(1)
