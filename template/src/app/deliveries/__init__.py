"""What became of the mail that was sent, and who gets no more of it."""
