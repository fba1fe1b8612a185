"""Plain Python functions become expressions: the function is called once with symbols.

`trace` runs a copy of the function in which ``numpy``, ``math``, ``scipy.special`` and some builtins know
symbols; the function itself is never changed. A symbol (`symbol`) is an array of expressions in few cells
(`cells`). Branches on parameters are recorded as guards; what cannot be expressed raises `Untraceable` with
construct, line and function.
"""

from __future__ import annotations

from ...errors import Untraceable
from .context import Guard
from .fingerprint import Fingerprint
from .leaves import Column
from .record import Family, Trace
from .tracer import trace, trace_elements

__all__ = ["Column", "Family", "Fingerprint", "Guard", "Trace", "Untraceable", "trace", "trace_elements"]
