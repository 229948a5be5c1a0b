"""What every rung of the ladder of services says when it does not hold."""


class Missing(Exception):
    """A service that a check needs is not there; the text says why, and what would help."""
