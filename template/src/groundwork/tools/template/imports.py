"""Rewrites one Python file for a table of moves: its import statements, and the names in its code, strings and comments.

Only what changes is written anew. The rest of the file, and of a statement where that is possible, stays as its owner typed it.
"""

import ast
import re
from dataclasses import dataclass, field

from groundwork.tools.template.source import Source
from groundwork.tools.template.table import Mention, Table

__all__ = ["Rewritten", "rewrite"]

FROM = re.compile(r"from\s*(?P<module>[.\s]*(?:(?!import\b)[\w.]+)?)")


@dataclass
class Rewritten:
    """The text of a file after the moves, and what a person may want to look at."""

    text: str
    # Names in strings, or anywhere in what is not Python.
    mentions: list[Mention] = field(default_factory=list)
    # Imports that no rule could rewrite.
    unsolved: list[str] = field(default_factory=list)


def rewrite(text: str, old: str, new: str, table: Table) -> Rewritten:
    """Rewrite a Python file that was at the path `old` and is now at `new`; raise SyntaxError where it is none."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    source = Source(text.removeprefix(mark))
    edits = _Edits(source, old, new, table)
    edits.visit(source.tree)
    edits.visit_text()
    missing = sorted(name for name in edits.named if name.partition(".")[0] not in edits.imported)
    unsolved = [*edits.unsolved, *(f"`{name}` is named, and not imported" for name in missing)]
    return Rewritten(mark + edits.text(), edits.mentions, unsolved)


class _Edits(ast.NodeVisitor):
    """Collects the edits of one file: where in its text, and what is there from now on."""

    def __init__(self, source: Source, old: str, new: str, table: Table) -> None:
        self.source, self.table = source, table
        self.old_package, self.new_package = (_package(path) for path in (old, new))
        self.edits: list[tuple[int, int, str]] = []
        self.mentions: list[Mention] = []
        self.unsolved: list[str] = []
        # Statements that are written anew with all that is in them.
        self.split: list[tuple[int, int]] = []
        # What the code names, by its new name, and what it imports.
        self.named: set[str] = set()
        self.imported: set[str] = set()
        plain = [node for node in ast.walk(source.tree) if isinstance(node, ast.Import)]
        # `app.jobs` in code is a module only where `import app.jobs` made it one; elsewhere `app` is something else.
        self.bound = {alias.name.partition(".")[0] for node in plain for alias in node.names if not alias.asname}

    def text(self) -> str:
        text = self.source.text
        for start, end, replacement in sorted(self.edits, reverse=True):
            text = text[:start] + replacement + text[end:]
        return text

    def visit_text(self) -> None:
        if not self.table.mentions(self.source.text):
            return
        for start, end, is_string in self.source.strings_and_comments():
            if any(begin < start < stop for begin, stop in self.split):
                continue
            found = self.table.mentions(self.source.text, start, end)
            self.edits += [(each.start, each.end, each.new) for each in found if each.new is not None]
            self.mentions += found if is_string else []

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            new = self.table.module(alias.name)
            self.imported.add((new or alias.name).partition(".")[0])
            if new:
                self._rename(alias, alias.name, new)
            else:
                self._note_split(node, alias.name)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        dotted = _dotted(node)
        if dotted is None:
            self.generic_visit(node)
        elif dotted.partition(".")[0] in self.bound and (new := self.table.module(dotted)):
            self._rename(node, dotted, new)
            self.named.add(new)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Leave the code in a string to the search for names: older Pythons do not know its place."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = _absolute(node, self.old_package)
        targets = [self.table.imported(module, alias.name) for alias in node.names]
        for alias in node.names:
            self._note_split(node, f"{module}.{alias.name}")
        # What the same words import at the file's new place.
        unchanged = _absolute(node, self.new_package)
        if targets == [(unchanged, alias.name) for alias in node.names]:
            return
        if len({module for module, _ in targets}) == 1:
            self._in_place(node, targets)
        else:
            self._split(node, targets)

    def _in_place(self, node: ast.ImportFrom, targets: list[tuple[str, str]]) -> None:
        """All names come from one module: comments, line breaks and brackets stay."""
        found = FROM.match(self.source.text, self.source.span(node)[0])
        if found is None:
            raise SyntaxError(ast.unparse(node))
        written = found["module"]
        # `from.jobs import x` and `from ..import x` are legal.
        gap = "" if self.source.text[found.start("module") - 1].isspace() else " "
        tail = written[len(written.rstrip()) :] or ("" if self.source.text[found.end()].isspace() else " ")
        self.edits.append((found.start("module"), found.end("module"), gap + targets[0][0] + tail))
        for alias, (_, name) in zip(node.names, targets, strict=True):
            if name != alias.name:
                self.edits.append((*self.source.span(alias), _alias(alias, name)))

    def _split(self, node: ast.ImportFrom, targets: list[tuple[str, str]]) -> None:
        """The names come from several modules from now on: one statement for each, each name with its comments."""
        before = self.source.before(node)
        # Behind another statement or a colon there is only this line.
        alone = not before.strip()
        between = self.source.newline() + before if alone else "; "
        comments = self._comments(node) if alone else {}
        groups: dict[str, list[ast.alias]] = {}
        written = {}
        for alias, (module, name) in zip(node.names, targets, strict=True):
            groups.setdefault(module, []).append(alias)
            written[alias] = _alias(alias, name)
        statements = []
        for module, aliases in groups.items():
            if comments.keys().isdisjoint(aliases):
                statements.append(f"from {module} import {', '.join(written[alias] for alias in aliases)}")
                continue
            rows = []
            for alias in aliases:
                above, behind = comments.get(alias, ([], ""))
                rows += [*above, f"{written[alias]},{behind}"]
            inner = f"{between}    "
            statements.append(f"from {module} import ({inner}{inner.join(rows)}{between})")
        self.edits.append((*self.source.span(node), between.join(statements)))
        self.split.append(self.source.span(node))

    def _comments(self, node: ast.ImportFrom) -> dict[ast.alias, tuple[list[str], str]]:
        """Return the comments above each name of a statement, and the one behind it."""
        found: dict[ast.alias, tuple[list[str], str]] = {}
        for place, line, text in self.source.comments(*self.source.span(node)):
            comment = self.table.rewritten(text)
            behind = [alias for alias in node.names if alias.end_lineno == line and self.source.span(alias)[1] <= place]
            below = [alias for alias in node.names if alias.lineno > line]
            owner = behind[-1] if behind else [*below, *node.names][0]
            above, trailing = found.get(owner, ([], ""))
            found[owner] = (above, f"  {comment}") if behind else ([*above, comment], trailing)
        return found

    def _rename(self, node: ast.expr | ast.alias, old: str, new: str) -> None:
        """Rename where a dotted name begins; one with spaces around its dots stays, as nobody writes it."""
        start, _ = self.source.span(node)
        if self.source.text.startswith(old, start):
            self.edits.append((start, start + len(old), new))

    def _note_split(self, node: ast.Import | ast.ImportFrom, module: str) -> None:
        if parts := self.table.parts(module):
            self.unsolved.append(f"`{ast.unparse(node)}`: `{module}` was split into {' and '.join(parts)}")


def _absolute(node: ast.ImportFrom, package: list[str]) -> str:
    if not node.level:
        return node.module or ""
    parents = package[: len(package) - node.level + 1]
    return ".".join([*parents, *([node.module] if node.module else [])])


def _package(path: str) -> list[str]:
    return path.removeprefix("src/").split("/")[:-1]


def _alias(alias: ast.alias, name: str) -> str:
    kept = alias.asname or alias.name
    return name if name == kept else f"{name} as {kept}"


def _dotted(node: ast.expr) -> str | None:
    """Return `a.b.c` for that expression, and None for one that is more than names."""
    if isinstance(node, ast.Name):
        return node.id
    inner = _dotted(node.value) if isinstance(node, ast.Attribute) else None
    return f"{inner}.{node.attr}" if inner and isinstance(node, ast.Attribute) else None
