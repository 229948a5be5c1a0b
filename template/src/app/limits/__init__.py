"""Bounds on how often somebody may try a password, a link, or to have mail sent."""
