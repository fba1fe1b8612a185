"""Many fits chunk by chunk: what a task of dask is given, and what it does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..curve.columns import is_table
from ..curve.parameters import is_mapping
from ..curve.setup import Request, Setup, from_function
from ..curve.setup_formula import from_formula
from ..errors import DataError, ModelError, ParameterError
from ..expr.formula import Formula
from .portable import Portable, portable

Array = NDArray[Any]
BESIDE = ("sigma", "weights", "trials", "mask")
"""Options that may have a value for each point."""
BY_FIT = ("start", "fixed", "bounds")


@dataclass(frozen=True, slots=True)
class Slot:
    """Stands for the block of array number `k` that belongs to the block of data."""

    k: int
    by_fit: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a task needs beside its blocks of arrays."""

    model: Any
    """A `Portable`, or the function itself."""
    x: Any
    options: dict[str, Any]
    names: tuple[str, ...]
    free: tuple[str, ...]
    covariance: bool

    @property
    def outputs(self) -> list[str]:
        """What the last axis of a result holds, before the covariance."""
        pairs = [n for name in self.names for n in (name, f"{name}_stderr")]
        return [*pairs, "status", "points", "cost", "reduced_chi2", "nfev"]

    @property
    def size(self) -> int:
        return len(self.outputs) + (len(self.free) ** 2 if self.covariance else 0)


class Slots:
    """Arrays with a value for each fit, or each point of each, cut into chunks like the data."""

    def __init__(self, data: Any) -> None:
        self.data = data
        self.arrays: list[Any] = []
        self.grid, self.points = data.shape[:-1], data.shape[-1:]

    def variables(self, x: Any) -> Any:
        if is_table(x):
            return {str(n): self._point(x[n]) for n in x}
        return tuple(self._point(part) for part in x) if isinstance(x, tuple) else self._point(x)

    def option(self, name: str, value: Any) -> Any:
        if name in BESIDE and value is not None:
            return self._point(value)
        if name not in BY_FIT or value is None or isinstance(value, str):
            return value
        if is_mapping(value):
            return {str(n): self._fit(v) for n, v in value.items()}
        if np.ndim(value) >= 2 and name != "bounds":
            raise ParameterError(f"{name}= by name, {{'a': values}}, where it differs between fits")
        return value

    def _point(self, value: Any) -> Any:
        shape = np.shape(value)
        if shape == self.data.shape:
            return self._slot(value, False)
        if shape in (self.grid, (*self.grid, 1)) and shape != self.points:
            return self._slot(value if shape != self.grid else value[..., None], True)
        return value if shape == () else np.asarray(value)

    def _fit(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self._fit(side) for side in value)
        return self._slot(value[..., None], True) if np.shape(value) == self.grid else value

    def _slot(self, value: Any, by_fit: bool) -> Slot:
        import dask.array

        da: Any = dask.array

        chunks = (*self.data.chunks[:-1], (1,) if by_fit else self.data.chunks[-1])
        self.arrays.append(da.asarray(value).rechunk(chunks))
        return Slot(len(self.arrays) - 1, by_fit)


def plan_of(
    model: Any, x: Any, Y: Any, options: dict[str, Any], covariance: bool, allow_pickle: bool
) -> Plan:
    """The model as it is sent, found out with the variables of one fit."""
    m = Y.shape[-1]
    table = is_table(x)
    parts = list(x.values()) if table else list(x) if isinstance(x, tuple) else [x]
    if any(not isinstance(part, Slot) and np.shape(part) != (m,) for part in parts):
        shapes = ", ".join(str(np.shape(part)) for part in parts if not isinstance(part, Slot))
        raise DataError(f"shapes do not fit: x has {shapes}, the data {Y.shape}, points last")
    own = np.linspace(
        1.0, 2.0, m
    )  # in place of variables that differ between fits: all are functions of rows
    one = [
        own + k if isinstance(part, Slot) else np.asarray(part, dtype=float) for k, part in enumerate(parts)
    ]
    setup = _setup(
        model, dict(zip(x, one, strict=True)) if table else one[0] if len(one) == 1 else tuple(one), options
    )
    p = setup.parameters
    sent, where = _sent(
        setup, parts, x, allow_pickle, len(parts) > 0 and isinstance(options.get("start"), dict)
    )
    sent = model if sent is None else sent
    return Plan(
        sent, where, options | ({"covariance": True} if covariance else {}), p.names, p.free_names, covariance
    )


def _setup(model: Any, x: Any, options: dict[str, Any]) -> Setup:
    m = np.size(next(iter(x.values())) if is_table(x) else x[0] if isinstance(x, tuple) else x)
    given = {name: _one_of(options.get(name)) for name in BY_FIT}
    start = None if isinstance(given["start"], str) else given["start"]
    if isinstance(start, dict):
        start = {n: v for n, v in start.items() if n != "neighbours"} or None
    wanted = Request(
        x, np.zeros(m), None, start, given["bounds"], given["fixed"], None, None, "error", None, None
    )
    if isinstance(model, str) and "~" in model:
        model = model.partition("~")[2]
    return from_formula(model, wanted) if isinstance(model, str | Formula) else from_function(model, wanted)


def _one_of(value: Any) -> Any:
    """An option of one fit: what differs between fits is 1, bounds there are open."""
    if not is_mapping(value):
        return value
    found = {}
    for name, v in value.items():
        if isinstance(v, tuple):
            v = tuple(s if not isinstance(s, Slot) else (-math.inf, math.inf)[k] for k, s in enumerate(v))
        found[name] = 1.0 if isinstance(v, Slot) else v
    return found


def _sent(setup: Setup, parts: list[Any], x: Any, allow_pickle: bool, by_name: bool) -> tuple[Any, Any]:
    """The model and its variables for the tasks; None: as they were given."""
    p = setup.parameters
    if isinstance(setup.function, Formula):
        f = setup.function
        return Portable.of(f.text, f.node, f.param_names, f.data_names), {n: x[n] for n in f.data_names}
    try:
        if len(p.shapes) != len(p.names):
            raise ModelError(f"`{setup.title}` has parameters that are vectors")
        made = portable(setup.function, setup.data.arguments, p.shapes, p.provisional(), setup.title)
        own = any(isinstance(part, Slot) for part in parts)
        if not made.by_rows:
            raise ModelError(f"`{setup.title}` looks at all points at once")
    except ModelError as error:
        if allow_pickle:
            return None, x
        raise ModelError(
            f"{error}; it cannot be sent as an expression. Write it as one, or say allow_pickle=True to send "
            "the function itself"
        ) from None
    where = {
        n: parts[k] if own and k is not None else c
        for (n, c), k in zip(made.columns.items(), made.argument_of.values(), strict=True)
    }
    return made.model, where


def fit_block(y: Array, *blocks: Array, plan: Plan) -> Array:
    """The fits of one chunk, all results side by side on the last axis."""
    from .many import fit_many as run

    if y.size == 0:
        return np.empty((*y.shape[:-1], plan.size))
    model = plan.model.formula() if isinstance(plan.model, Portable) else plan.model
    y, *aligned = (np.require(part, requirements="A") for part in (y, *blocks))  # as sent they need not be
    blocks = tuple(aligned)
    options = {name: _filled(value, blocks) for name, value in plan.options.items()}
    many = run(model, _filled(plan.x, blocks), y, progress=False, **options)
    found = []
    for name in plan.names:
        found += [many.params[name], many.stderr[name]]
    found += [many.status, many.n_points, many.cost, many.reduced_chi2, many.nfev]
    packed = np.stack([np.asarray(v, dtype=np.float64) for v in found], axis=-1)
    if not plan.covariance:
        return packed
    return np.concatenate([packed, many.covariance.reshape(*packed.shape[:-1], -1)], axis=-1)


def _filled(value: Any, blocks: Sequence[Array]) -> Any:
    if isinstance(value, np.ndarray):
        return np.require(value, requirements="A")
    if isinstance(value, Slot):
        return blocks[value.k][..., 0] if value.by_fit else blocks[value.k]
    if isinstance(value, tuple):
        return tuple(_filled(v, blocks) for v in value)
    return {n: _filled(v, blocks) for n, v in value.items()} if isinstance(value, dict) else value
