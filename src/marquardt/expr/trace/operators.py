"""Python's operators on symbols: its import gives them to the class."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .symbol import Symbol, lift
from .ufuncs import call


def _binary(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def forward(self: Symbol, other: Any) -> Any:
        if _foreign(other):
            return NotImplemented
        return call(name, self, other)

    def backward(self: Symbol, other: Any) -> Any:
        if _foreign(other):
            return NotImplemented
        return call(name, other, self)

    return forward, backward


def _foreign(other: Any) -> bool:
    return other is None or isinstance(other, (str, dict, set))


def _in_place(name: str) -> Callable[..., Any]:
    def update(self: Symbol, other: Any) -> Any:
        result = call(name, self, other)
        if self.shape == () or self.mask is not None:
            return result
        self[...] = result
        return self

    return update


_ARITHMETIC = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}
for _short, _name in _ARITHMETIC.items():
    _forward, _backward = _binary(_name)
    setattr(Symbol, f"__{_short}__", _forward)
    setattr(Symbol, f"__r{_short}__", _backward)
    setattr(Symbol, f"__i{_short}__", _in_place(_name))
for _short, _name in {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}.items():
    setattr(Symbol, f"__{_short}__", _binary(_name)[0])


def _equality(name: str, default: bool) -> Callable[..., Any]:
    def compare(self: Symbol, other: Any) -> Any:
        return default if _foreign(other) else call(name, self, other)

    return compare


def _unary(name: str) -> Callable[[Symbol], Symbol]:
    return lambda self: call(name, self)


for _short, _name in {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}.items():
    setattr(Symbol, f"__{_short}__", _unary(_name))
Symbol.__eq__ = _equality("equal", False)  # type: ignore[method-assign]
Symbol.__ne__ = _equality("not_equal", True)  # type: ignore[method-assign]


def _round(self: Symbol, digits: int | None = None) -> Any:
    if digits is None:
        return int(call("rint", self))
    scale = 10.0**digits
    return call("rint", self * scale) / scale


def _divmod(self: Symbol, other: Any) -> Any:
    return call("floor_divide", self, other), call("remainder", self, other)


def _matmul(self: Symbol, other: Any) -> Any:
    from .linear import matmul

    return matmul(self, lift(self.ctx, other))


def _rmatmul(self: Symbol, other: Any) -> Any:
    from .linear import matmul

    return matmul(lift(self.ctx, other), self)


for _short, _function in {
    "round": _round,
    "divmod": _divmod,
    "matmul": _matmul,
    "rmatmul": _rmatmul,
    "floor": lambda self: int(call("floor", self)),
    "ceil": lambda self: int(call("ceil", self)),
    "trunc": lambda self: int(call("trunc", self)),
}.items():
    setattr(Symbol, f"__{_short}__", _function)
