"""What happened to accounts, and who did it: for administrators, and for the day after an attack."""
