"""A feature that is copied into a rendered service for the chaos suite: each job inserts one row of effect."""
