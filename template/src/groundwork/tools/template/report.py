"""Says what a merge did, in lines for a person."""

import os.path
from collections.abc import Iterator

from groundwork.tools.template.files import File, text_of
from groundwork.tools.template.merge import Merge
from groundwork.tools.template.service import Service
from groundwork.tools.template.table import Mention

__all__ = ["in_doubt", "report"]


def report(service: Service, merge: Merge) -> Iterator[str]:
    """Yield a paragraph for each kind of thing that a person may want to look at."""
    decided = merge.decided
    ignored = [name for name in decided.missing if os.path.lexists(service.folder / name)]
    deleted = [name for name in decided.missing if name not in ignored]
    paragraphs = {
        "Names that were rewritten in strings and in files that are not Python:": _rewritten(merge),
        "Names that may be modules or files, and were not rewritten:": _ambiguous(merge),
        "Imports that no rule can rewrite:": _unsolved(merge),
        "Deleted by you, or in a folder that you deleted, and changed by the template; they do not come back:": deleted,
        "Ignored by git here, and changed by the template; they stay as they are:": ignored,
        "Behind a link that leaves the service, and changed by the template; they stay as they are:": merge.unreached,
        "Dropped by the template, and gone:": decided.gone,
        **in_doubt(merge),
    }
    for heading, lines in paragraphs.items():
        if lines:
            text = "\n".join([heading, *(f"  {line}" for line in lines), ""])
            # A file name may be no text at all.
            yield text.encode("utf-8", "replace").decode()


def in_doubt(merge: Merge) -> dict[str, list[str]]:
    """Return the files that need a decision, by what happened to them."""
    stages = merge.decided.in_doubt
    dropped = [name for name in stages if 3 not in stages[name]]
    return {
        "In doubt: you edited them, and the template dropped them:": dropped,
        "In doubt: you and the template changed the same lines:": [name for name in stages if name not in dropped],
    }


def _rewritten(merge: Merge) -> list[str]:
    return [f"{place}: {each.old} -> {each.new}" for place, each in _mentioned(merge) if each.new]


def _ambiguous(merge: Merge) -> list[str]:
    return [f"{place}: {each.old}" for place, each in _mentioned(merge) if not each.new]


def _unsolved(merge: Merge) -> list[str]:
    own = (name for name in merge.moved.unsolved if merge.decided.files.get(name) != merge.theirs.get(name))
    return [f"{name}: {reason}" for name in own for reason in merge.moved.unsolved[name]]


def _mentioned(merge: Merge) -> Iterator[tuple[str, Mention]]:
    """Yield `file:line` of each name in a line that is not the template's."""
    for name, mentions in sorted(merge.moved.mentions.items()):
        known = set(_lines(merge.theirs.get(name)))
        by_word = {mention.new or mention.old: mention for mention in mentions}
        for number, line in enumerate(_lines(merge.decided.files.get(name)), 1):
            if line not in known and not (name.endswith(".py") and line.lstrip().startswith(("import ", "from "))):
                yield from ((f"{name}:{number}", mention) for word, mention in by_word.items() if word in line)


def _lines(file: File | None) -> list[str]:
    return ((text_of(file) if file else None) or "").splitlines()
