"""What is wrong with a YAML text, and where.

It knows positions and words, and no parser. Messages carry key names and what the grammar expected, never a value:
a value may be a secret.
"""

from __future__ import annotations

from gitopsd.model.errors import Misconfigured


class YamlError(Misconfigured):
    """A text that is not the YAML we take; `line` and `column` count from 1, `file` may be empty.

    The message reads `file:line:column: what; remedy`, without a file `line 3, column 5: what; remedy`.
    """

    def __init__(self, what: str, *, remedy: str, line: int, column: int, file: str = "") -> None:
        place = f"{file}:{line}:{column}" if file else f"line {line}, column {column}"
        super().__init__(f"{place}: {what}; {remedy}")
        self.file = file
        self.line = line
        self.column = column
