"""Verify a trace: the expressions must give what the function gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marquardt.expr.interpret import interpret
from marquardt.expr.trace import Trace
from marquardt.expr.trace.calling import evaluate

RTOL, ATOL = 1e-9, 1e-11


def flat_values(parameters: Mapping[str, Any]) -> NDArray[np.float64]:
    """Parameter values in the order of ``Trace.param_names``."""
    parts: list[float] = []
    for value in parameters.values():
        if hasattr(value, "valuesdict"):
            value = value.valuesdict()
        if isinstance(value, Mapping):
            parts.extend(flat_values(value))
        else:
            parts.extend(np.ravel(np.asarray(value, dtype=np.float64)))
    return np.array(parts)


def values_of(trace: Trace, arguments: Sequence[Any], parameters: Mapping[str, Any]) -> NDArray[Any]:
    """The traced function's result (its own shape) by the reference interpreter."""
    params = flat_values(parameters)
    size = int(np.prod(trace.shape))
    out = np.full(2 * size if trace.complex else size, np.nan)
    for family in trace.families:
        columns = [column.extract(arguments) for column in family.columns]
        for value, rows in zip(interpret(family.outputs, params.tolist(), columns), family.rows, strict=True):
            out[rows] = value
    result = out[:size] + 1j * out[size:] if trace.complex else out
    return result.reshape(trace.shape)


def check(
    trace: Trace,
    function: Callable[..., Any],
    arguments: Sequence[Any],
    parameters: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
    rtol: float = RTOL,
) -> bool | str:
    """True if the trace gives what the function gives here, else a sentence that says where it does not."""
    name = getattr(function, "__name__", type(function).__name__)
    try:
        plain = np.asarray(evaluate(function, arguments, parameters, options or {}))
    except Exception as error:
        return f"`{name}` raises {type(error).__name__}: {error}"
    if plain.shape != trace.shape:
        return f"the trace of `{name}` gives shape {trace.shape}, the function {plain.shape}"
    traced = values_of(trace, arguments, parameters)
    plain = plain.astype(traced.dtype)
    with np.errstate(all="ignore"):
        finite = np.isfinite(plain)
        scale = float(np.max(np.abs(plain[finite]), initial=0.0))
        close = np.abs(traced - plain) <= rtol * np.abs(plain) + rtol * (ATOL / RTOL) * scale
    # Stable rewrites may stay finite where the plain formula over- or underflows to NaN.
    good = (
        close
        | (traced == plain)
        | (np.isnan(plain) & ~np.isfinite(traced))
        | (np.isnan(traced) & np.isnan(plain))
    )
    if bool(np.all(good)):
        return True
    first = int(np.flatnonzero(~np.ravel(good))[0])
    return (
        f"the trace of `{name}` differs from the function at element {first}: "
        f"{np.ravel(traced)[first]!r} instead of {np.ravel(plain)[first]!r}"
    )
