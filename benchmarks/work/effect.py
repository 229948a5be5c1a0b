"""The work of every contender: one row that says which job it was and when its task began."""

from time import time
from typing import Any

__all__ = ["INSERT", "effect"]

INSERT = "INSERT INTO effects (number, began_at) VALUES (%(number)s, %(began_at)s)"


def effect(number: int) -> dict[str, Any]:
    """The parameters of INSERT, now."""
    return {"number": number, "began_at": time()}
