"""Who is signed in, and on which device: access tokens, refresh tokens, and their end."""
