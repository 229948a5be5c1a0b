"""What an owner wrote right below a comment that leaves the place to them: no merge has to decide about it.

Git takes lines that one side adds for a conflict where the other side changes the lines beside them.
"""

import re

__all__ = ["Added", "put_back", "taken_out"]

# An owner's lines, by the anchor above them.
Added = dict[bytes, list[bytes]]

ANCHOR = re.compile(rb"\s*(?:#|//|/\*|<!--).*\bgo (?:below this line|here)\b")
# So many of the template's next lines say where the owner's end.
NEXT = 3


def taken_out(base: bytes, ours: bytes) -> tuple[bytes, Added]:
    """Return the owner's file without the lines that they added right below its anchors, and those lines by anchor."""
    before, mine = base.splitlines(keepends=True), ours.splitlines(keepends=True)
    added: Added = {}
    for anchor in filter(ANCHOR.match, before):
        if before.count(anchor) == mine.count(anchor) == 1:
            rest, place = before[before.index(anchor) + 1 :], mine.index(anchor) + 1
            added[anchor] = mine[place : place + _added(rest, mine[place:])]
            del mine[place : place + len(added[anchor])]
    return b"".join(mine), {anchor: lines for anchor, lines in added.items() if lines}


def put_back(merged: bytes, added: Added) -> bytes | None:
    """Return the merged file with the owner's lines below its anchors, and None where an anchor is gone, or in doubt itself."""
    lines = merged.splitlines(keepends=True)
    for anchor, mine in added.items():
        place = lines.index(anchor) + 1 if lines.count(anchor) == 1 else 0
        marks = [line[:7] for line in lines[:place]]
        if not place or marks.count(b"<<<<<<<") != marks.count(b">>>>>>>"):
            return None
        lines[place:place] = mine
    return b"".join(lines)


def _added(rest: list[bytes], mine: list[bytes]) -> int:
    """Count the lines that come before what followed in the template's file; none where that is not there as it was."""
    known = rest[:NEXT]
    # Near the end of the file the rest is short, and anything ends like it.
    places = range(len(mine) - len(known) + 1) if len(rest) >= NEXT else [len(mine) - len(known)]
    return next((place for place in places if mine[place : place + len(known)] == known), 0)
