"""Where tracing stopped: the construct, the line within the user's function, and the function's name."""

from __future__ import annotations

import linecache
import re
import sys
import types
from typing import Any

from ...errors import Untraceable
from .context import Abort

_PARTS = {"<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>"}  # report the function around them
_GENERIC = {"float()", "complex()", "conversion to a plain array", "if"}


def locate(error: BaseException, function: Any) -> Untraceable:
    """The error as `Untraceable`, with the innermost line of user code."""
    frame = _user_frame(error)
    construct = error.construct if isinstance(error, Abort) else None
    if frame is None:
        name = getattr(function, "__name__", type(function).__name__)
        return Untraceable(construct or _short(error), None, name)
    code, line, instruction = frame
    if construct is None or construct in _GENERIC:
        construct = _called(code, line, instruction) or construct or _short(error)
    return Untraceable(construct, line - code.co_firstlineno + 1, code.co_name)


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _user_frame(error: BaseException) -> tuple[types.CodeType, int, int] | None:
    from .namespaces import Opaque
    from .overlay import MARK

    found = None
    step = error.__traceback__
    while step is not None and step.tb_frame.f_code is not Opaque.__call__.__code__:
        if MARK in step.tb_frame.f_globals and step.tb_frame.f_code.co_name not in _PARTS:
            found = step.tb_frame.f_code, step.tb_lineno, step.tb_lasti
        step = step.tb_next
    return found


def here(construct: str) -> str:
    """The line of user code that is running, in words."""
    from .overlay import MARK

    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and (MARK not in frame.f_globals or frame.f_code.co_name in _PARTS):
        frame = frame.f_back
    if frame is None:
        return f"`{construct}`"
    code = frame.f_code
    return f"`{construct}` on line {frame.f_lineno - code.co_firstlineno + 1} of `{code.co_name}`"


def _called(code: types.CodeType, line: int, instruction: int) -> str | None:
    """The name of the function called at an instruction, from the source; the operation if it is no call."""
    source = linecache.getline(code.co_filename, line).strip()
    positions = getattr(code, "co_positions", None)
    if positions is not None and source:
        first, last, start, stop = list(positions())[instruction // 2]
        if first == last and start is not None and stop is not None:
            text = linecache.getline(code.co_filename, first).encode()[start:stop].decode(errors="replace")
            call = re.match(r"([\w.]+)\s*\(", text)
            return call.group(1).split(".")[-1] if call else text[:60]
    return source[:60] or None
