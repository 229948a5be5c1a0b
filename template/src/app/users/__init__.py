"""People: registration, verification of their address, sign-in."""
