"""In what interval an expression lies when its parameters lie in theirs; it may be wider than true."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from .graph import Node, reachable
from .ops import OPS

Interval = tuple[float, float]
EVERYTHING: Interval = (-math.inf, math.inf)
_RISING: dict[str, Interval] = {
    **dict.fromkeys(("exp", "expm1", "exp2", "sinh", "tanh", "arctan", "arcsinh", "cbrt"), EVERYTHING),
    **dict.fromkeys(("expit", "log_expit", "erf", "ndtr", "log_ndtr", "floor", "ceil", "rint"), EVERYTHING),
    **dict.fromkeys(("log", "log2", "log10", "sqrt"), (0.0, math.inf)),
    "log1p": (-1.0, math.inf),
    "arctanh": (-1.0, 1.0),
}
"""Functions that rise everywhere, with their domain."""


def interval(node: Node, box: Mapping[int, Interval]) -> Interval:
    """The interval of `node` for parameters i in ``box[i]``; those that are not named may be anything."""
    found: dict[Node, Interval] = {}
    for one in reachable([node]):
        if one.op == "const":
            found[one] = (one.value, one.value) if one.value == one.value else EVERYTHING
        elif one.op == "param":
            found[one] = box.get(int(one.value), EVERYTHING)
        else:
            found[one] = _of(one, [found[a] for a in one.args])
    return found[node]


def meet(a: Interval, b: Interval) -> Interval:
    """What two intervals have in common; crossed where they have nothing."""
    return max(a[0], b[0]), min(a[1], b[1])


def holds_zero(a: Interval) -> bool:
    """Is zero inside, not just at an end?"""
    return a[0] < 0.0 < a[1]


def _of(node: Node, args: list[Interval]) -> Interval:
    if node.op in _RISING:
        low, high = meet(args[0], _RISING[node.op])
        return _sound(OPS[node.op].fold(low), OPS[node.op].fold(high))
    rule = _RULES.get(node.op)
    return EVERYTHING if rule is None else _sound(*rule(*args))


def _sound(low: float, high: float) -> Interval:
    return -math.inf if low != low else low, math.inf if high != high else high


def _product(x: float, y: float) -> float:
    return 0.0 if x == 0.0 or y == 0.0 else x * y


def _mul(a: Interval, b: Interval) -> Interval:
    ends = [_product(x, y) for x in a for y in b]
    return min(ends), max(ends)


def _recip(a: Interval) -> Interval:
    low, high = a
    if holds_zero(a) or low == high == 0.0:
        return EVERYTHING
    if low >= 0.0:
        return 1.0 / high, 1.0 / low if low else math.inf
    return 1.0 / high if high else -math.inf, 1.0 / low


def _even(a: Interval, power: Callable[[float], float]) -> Interval:
    ends = power(abs(a[0])), power(abs(a[1]))
    return 0.0 if a[0] <= 0.0 <= a[1] else min(ends), max(ends)


def _pow(a: Interval, b: Interval) -> Interval:
    n = b[0]
    if b[0] != b[1]:
        return (0.0, math.inf) if a[0] >= 0.0 else EVERYTHING
    if n < 0.0:
        return _recip(_pow(a, (-n, -n)))
    if n.is_integer() and n % 2 == 0:
        return _even(a, lambda x: _float_power(x, n))
    low = max(a[0], 0.0) if not n.is_integer() else a[0]
    return _float_power(low, n), _float_power(a[1], n)


def _float_power(x: float, n: float) -> float:
    return OPS["pow"].fold(x, n)


_RULES: dict[str, Callable[..., Interval]] = {
    "add": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "sub": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "neg": lambda a: (-a[1], -a[0]),
    "mul": _mul,
    "recip": _recip,
    "div": lambda a, b: _mul(a, _recip(b)),
    "square": lambda a: _even(a, lambda x: x * x),
    "abs": lambda a: _even(a, lambda x: x),
    "pow": _pow,
    "hypot": lambda a, b: (0.0, math.inf),
    "minimum": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "maximum": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
}
