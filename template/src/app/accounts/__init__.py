"""People: registration, verification, sign-in, sessions, their mail, and what administrators do with accounts."""
