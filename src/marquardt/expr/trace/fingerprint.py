"""What a trace read from the function's surroundings, to notice when any of it has changed."""

from __future__ import annotations

from typing import Any

import numpy as np

_MISSING = object()
_PLAIN = (int, float, complex, str, bytes, bool, type(None), tuple, frozenset, type)


class Fingerprint:
    """Code, defaults, closure cells, globals and attributes that a traced function read, as they were.

    ``unchanged()`` compares objects by identity, and mutable arrays, lists and dictionaries by content.
    """

    __slots__ = ("_cells", "_codes", "_contents", "_names", "_seen")

    def __init__(self) -> None:
        self._names: list[tuple[dict[str, Any], str, Any]] = []
        self._cells: list[tuple[Any, Any]] = []
        self._codes: list[tuple[Any, Any, Any, Any]] = []
        self._contents: list[tuple[Any, Any]] = []
        self._seen: set[int] = set()

    def function(self, function: Any) -> None:
        self._codes.append((function, function.__code__, function.__defaults__, function.__kwdefaults__))
        for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self.content(value)

    def name(self, scope: dict[str, Any], name: str, value: Any) -> None:
        self._names.append((scope, name, value))
        self.content(value)

    def cell(self, cell: Any, value: Any) -> None:
        self._cells.append((cell, value))
        self.content(value)

    def attributes(self, scope: dict[str, Any]) -> None:
        """The attributes of an object: same names, same objects, same contents."""
        if id(scope) not in self._seen:
            self._seen.add(id(scope))
            self._contents.append((scope, dict(scope)))
            for value in scope.values():
                self.content(value)

    def content(self, value: Any) -> None:
        """Remember what a mutable value holds."""
        if isinstance(value, _PLAIN) or id(value) in self._seen:
            return
        if isinstance(value, np.ndarray) or (isinstance(value, (list, dict, set)) and len(value) < 1000):
            self._seen.add(id(value))
            self._contents.append((value, value.copy()))
            for item in (
                value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            ):
                self.content(item)

    def unchanged(self) -> bool:
        """Whether everything that was read is still the same."""
        for function, code, defaults, keywords in self._codes:
            if function.__code__ is not code or function.__defaults__ is not defaults:
                return False
            if function.__kwdefaults__ != keywords:
                return False
        for scope, name, value in self._names:
            if scope.get(name, _MISSING) is not value and not _same(scope.get(name, _MISSING), value):
                return False
        for cell, value in self._cells:
            try:
                if cell.cell_contents is not value and not _same(cell.cell_contents, value):
                    return False
            except ValueError:
                return False
        return all(_equal(now, then) for now, then in self._contents)


def _same(now: Any, then: Any) -> bool:
    """Equal numbers and strings are the same thing, other objects are not."""
    return (
        type(now) is type(then)
        and isinstance(now, (int, float, complex, str, np.generic))
        and bool(now == then)
    )


def _equal(now: Any, then: Any) -> bool:
    if isinstance(now, np.ndarray):
        return bool(now.shape == then.shape and now.dtype == then.dtype and now.tobytes() == then.tobytes())
    if isinstance(now, dict):
        return len(now) == len(then) and all(
            k in now and (now[k] is v or _same(now[k], v)) for k, v in then.items()
        )
    if isinstance(now, list):
        return len(now) == len(then) and all(a is b or _same(a, b) for a, b in zip(now, then, strict=True))
    return bool(now == then)
