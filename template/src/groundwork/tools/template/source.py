"""The text of a Python file, with the places of its syntax tree and of its strings and comments."""

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterator

__all__ = ["Source"]

NEW_LINE = re.compile(r"\r\n|\r|\n")
OPENING = {"FSTRING_START", "TSTRING_START"}
CLOSING = {"FSTRING_END", "TSTRING_END"}


class Source:
    """A text that Python can parse; raises SyntaxError or ValueError for another one."""

    def __init__(self, text: str) -> None:
        self.text = text
        with warnings.catch_warnings():
            # An invalid escape is its owner's business.
            warnings.simplefilter("ignore")
            self.tree = ast.parse(text)
        self.lines = [0, *(found.end() for found in NEW_LINE.finditer(text))]

    def at(self, line: int, column: int) -> int:
        """Return the place in the text of a line and of a column that counts bytes of UTF-8, as syntax trees do."""
        start = self.lines[line - 1]
        return start + len(self.text[start : start + column].encode()[:column].decode())

    def span(self, node: ast.stmt | ast.expr | ast.alias) -> tuple[int, int]:
        end = self.at(node.end_lineno or 1, node.end_col_offset or 0)
        return self.at(node.lineno, node.col_offset), end

    def before(self, node: ast.stmt) -> str:
        """Return what precedes a statement on its line: its indentation, or also the statement before it."""
        return self.text[self.lines[node.lineno - 1] : self.span(node)[0]]

    def newline(self) -> str:
        found = NEW_LINE.search(self.text)
        return found[0] if found else "\n"

    def comments(self, start: int, end: int) -> Iterator[tuple[int, int, str]]:
        """Yield the place, the line and the text of each comment in a part of the text."""
        for token in self._tokens():
            place = self.lines[token.start[0] - 1] + token.start[1]
            if token.type == tokenize.COMMENT and start < place < end:
                yield place, token.start[0], token.string

    def strings_and_comments(self) -> Iterator[tuple[int, int, bool]]:
        """Yield where each begins and ends, and whether it is a string; an f-string is one, with the code in it."""
        depth, opened = 0, 0
        for token in self._tokens():
            start, end = (self.lines[row - 1] + column for row, column in (token.start, token.end))
            kind = tokenize.tok_name[token.type]
            if kind in OPENING:
                opened, depth = (start if depth == 0 else opened), depth + 1
            elif kind in CLOSING:
                depth -= 1
                if depth == 0:
                    yield opened, end, True
            elif depth == 0 and kind in ("STRING", "COMMENT"):
                yield start, end, kind == "STRING"

    def _tokens(self) -> Iterator[tokenize.TokenInfo]:
        return tokenize.generate_tokens(io.StringIO(self.text, newline="").readline)
