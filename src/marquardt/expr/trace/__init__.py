"""Plain Python functions become expressions: the function is called once with symbols.

`trace` runs a copy of the function in which ``numpy``, ``math``, ``scipy.special`` and some builtins know
symbols; the function itself is never changed. A symbol (`symbol`) is an array of expressions in few cells
(`cells`). Branches on parameters are recorded as guards; what cannot be expressed raises `Untraceable` with
construct, line and function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import Untraceable
from .context import Guard
from .fingerprint import Fingerprint
from .leaves import Column
from .record import Family, Trace

if TYPE_CHECKING:
    from .tracer import trace
    from .verify import check, values_of

__all__ = ["Column", "Family", "Fingerprint", "Guard", "Trace", "Untraceable", "check", "trace", "values_of"]


def __getattr__(name: str) -> Any:
    """The tracer itself is imported when a function is traced: ``import marquardt`` stays light."""
    if name == "trace":
        from .tracer import trace

        return trace
    if name in ("check", "values_of"):
        from . import verify

        return getattr(verify, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
