"""One password, however a keyboard spells it."""

from unicodedata import normalize

from pwdlib import PasswordHash

__all__ = ["one_spelling", "verify"]

# Characters. Marks on one letter take quadratic time, and nobody has such a password.
MOST = 1024


def one_spelling(password: str) -> str:
    """The password as it is judged and hashed: NFKC, as NIST SP 800-63B asks. macOS and Windows spell é differently."""
    return normalize("NFKC", password) if len(password) <= MOST else password


def verify(hasher: PasswordHash, password: str, password_hash: str) -> tuple[bool, str | None]:
    """Whether it matches, and a better hash where the present one is of an older kind, or of the password as typed."""
    matches, better = hasher.verify_and_update(one_spelling(password), password_hash)
    # Hashes of release 0.4 and before are of what was typed.
    if not matches and password != one_spelling(password) and hasher.verify(password, password_hash):
        return True, hasher.hash(one_spelling(password))
    return matches, better
