"""The page at /app: sign in, watch jobs. Delete this folder, and its line in main.py, for a pure API."""
