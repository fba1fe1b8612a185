"""The words of a formula, and errors that point at them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from typing import NamedTuple, NoReturn

from ..errors import FormulaError

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<name>[^\W\d²³¹][^\W²³¹]*(?:\.[^\W²³¹]+)*)
      | (?P<quoted>`[^`\n]*`)
      | (?P<op>\*\*|//|<=|>=|==|!=|[-+*/%^<>(),~])""",
    re.VERBOSE,
)
_WORDS = ("and", "or", "not")
_INSTEAD = {
    "=": "use `~` between response and model, or `==` to compare",
    "&": "use `and`",
    "|": "use `or`",
    "!": "use `not`",
    "·": "use `*`",
    "×": "use `*`",
    "÷": "use `/`",
    "−": "use the minus sign `-` of the keyboard",
    "²": "use `^2`",
    "³": "use `^3`",
    "`": "the back quote that closes this one is missing",
    "[": "use parentheses",
    "]": "use parentheses",
    "{": "use parentheses",
    "}": "use parentheses",
}


class Token(NamedTuple):
    """A piece of a formula and its place in the text."""

    kind: str  # number, name, quoted, op, end
    text: str
    start: int
    end: int


def tokenize(text: str) -> list[Token]:
    """The tokens of a formula, the last one of kind ``end``."""
    tokens, place = [], 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            wrong = Token("op", text[place], place, place + 1)
            hint = _INSTEAD.get(text[place], "remove it, or put an odd column name in back quotes")
            fail(text, wrong, hint if text[place] == "`" else f"{text[place]!r} has no meaning here: {hint}")
        kind = str(match.lastgroup)
        if kind != "space":
            word = match.group() in _WORDS
            tokens.append(Token("op" if word else kind, match.group(), match.start(), match.end()))
        place = match.end()
    end = len(text.rstrip())
    return [*tokens, Token("end", "", end, end + 1)]


def fail(text: str, token: Token, problem: str) -> NoReturn:
    """Raise FormulaError with the line of `token` and carets under it."""
    first = text.rfind("\n", 0, token.start) + 1
    line = text[first:].split("\n", 1)[0].rstrip()
    carets = "^" * max(1, token.end - token.start)
    raise FormulaError(f"{problem}\n  {line.replace(chr(9), ' ')}\n  {' ' * (token.start - first)}{carets}")


def near(name: str, known: Collection[str]) -> str:
    """A clause with the known names most like `name`, or nothing."""
    folded = {k.casefold(): k for k in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
    return "; did you mean " + " or ".join(f"`{folded[c]}`" for c in close) + "?" if close else ""
