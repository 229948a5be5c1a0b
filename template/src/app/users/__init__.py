"""People: registration, the links of their mail, their account, and what administrators do with it."""
