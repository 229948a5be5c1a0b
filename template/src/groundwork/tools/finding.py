"""What `app doctor` says of one thing."""

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    what: str
    good: bool
    says: str
    remedy: str = ""
