"""The work of every contender: one row that says which job it was and when its task began."""

from time import time
from typing import Any

__all__ = ["INSERT", "POSITIONAL", "effect"]

INSERT = "INSERT INTO effects (number, began_at) VALUES (%(number)s, %(began_at)s)"
# The same for drivers that count parameters.
POSITIONAL = "INSERT INTO effects (number, began_at) VALUES ($1, $2)"


def effect(number: int) -> dict[str, Any]:
    """The parameters of INSERT, in the order of POSITIONAL, now."""
    return {"number": number, "began_at": time()}
