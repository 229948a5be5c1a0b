"""How e-mails are written and read."""

from email import headerregistry, policy
from functools import lru_cache

__all__ = ["AUTOMATIC", "ENCODED", "READABLE"]

# By which programs that answer mail know that no person wrote it: RFC 3834.
AUTOMATIC = {"Auto-Submitted": "auto-generated"}

_class_of = lru_cache(headerregistry.HeaderRegistry().__getitem__)


class Headers(headerregistry.HeaderRegistry):
    """The standard library makes a class anew for each header: most of the time that an e-mail takes."""

    def __getitem__(self, name: str) -> type[headerregistry.BaseHeader]:
        return _class_of(name)


# Up to the longest line that SMTP allows nothing is wrapped or encoded: a link stays a link.
READABLE = policy.SMTP.clone(max_line_length=998, header_factory=Headers())
# Not every server takes other characters than ASCII (8BITMIME), and encoded lines have 76 at most.
ENCODED = READABLE.clone(cte_type="7bit", max_line_length=76)
