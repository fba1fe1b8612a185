"""The data of a fit: independent variables in whatever form, the response, weights, and missing rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import all_finite
from ..errors import DataError, suggestion
from .columns import Array, column, column_names, is_table, numbers
from .signature import Signature

Vector = NDArray[np.float64]
Columns = dict[str, Array]


@dataclass(slots=True)
class Data:
    """What a fit compares: the model's `arguments`, the response `y` and flat square-root weights `w`."""

    arguments: tuple[Any, ...]
    names: tuple[str, ...]
    """Names of the independent variables, one per argument."""
    y: Array
    y_name: str = "y"
    w: Vector | None = None
    sigma: Vector | None = None
    dropped: int = 0
    rows: NDArray[np.intp] | None = None
    """Position of each row in what was given, where rows were dropped."""

    @property
    def n_points(self) -> int:
        """Numbers compared with the model: complex ones count twice, points of weight zero not at all."""
        parts = 2 if self.y.dtype.kind == "c" else 1
        return parts * (self.y.size if self.w is None else int(np.count_nonzero(self.w)))

    def flat(self) -> tuple[Vector, Vector | None]:
        """Flat `y` and `w`; complex values as all real parts, then all imaginary ones."""
        y, w = self.y, self.w
        if y.dtype.kind == "c":
            y = np.concatenate([y.real.ravel(), y.imag.ravel()])
            w = None if w is None else np.concatenate([w, w])
        return y.ravel(), w


def plain_data(x: Any, y: Any) -> Data | None:
    """The short way for two clean one-dimensional float64 arrays; None when a closer look is needed."""
    if type(x) is not np.ndarray or type(y) is not np.ndarray:
        return None
    if x.ndim != 1 or x.shape != y.shape or x.dtype != np.float64 or y.dtype != np.float64:
        return None
    if not (x.flags.c_contiguous and y.flags.c_contiguous and all_finite(x) and all_finite(y)):
        return None
    return Data((x,), ("x",), y)


def gather(
    arguments: tuple[Any, ...],
    names: tuple[str, ...],
    y: Any,
    y_name: str,
    sigma: Any,
    weights: Any,
    table: Any,
    missing: str,
    length: Callable[[tuple[Any, ...]], int | None] | None = None,
) -> Data:
    """Turn all columns to numbers, check lengths, and treat rows that are missing.

    ``length(arguments)`` is how many numbers the model makes of arguments as long as they like.
    """
    if missing not in ("error", "drop"):
        raise DataError(
            f"missing={missing!r} is unknown: 'error' names the first bad row, 'drop' drops and counts"
        )
    arguments = tuple(convert(a, n) for a, n in zip(arguments, names, strict=True))
    response = np.atleast_1d(numbers(y, y_name))
    if response.size == 0:
        raise DataError(f"there are no data: {y_name!r} is empty")
    if (odd := _other_length(arguments, response)) is not None:
        size = response.size * (2 if response.dtype.kind == "c" else 1)
        made = None if length is None else length(arguments)
        if made != size:
            raise DataError(
                f"lengths differ: {names[odd]!r} has {arguments[odd].size} values, "
                f"{y_name!r} has {response.size}"
                + (f" (and the model gives {made})" if made not in (None, 1, arguments[odd].size) else "")
            )
    w, known = _weights(sigma, weights, response.shape, table)
    data = Data(arguments, names, response, y_name, w, known)
    bad = _bad_rows(data, sigma, weights)
    return data if bad is None else _drop(data, *bad, missing)


def convert(argument: Any, name: str) -> Any:
    """An argument of the model as arrays; tuples and mappings of arrays stay such, other objects pass."""
    if isinstance(argument, tuple):
        return tuple(convert(a, f"{name}[{k}]") for k, a in enumerate(argument))
    if isinstance(argument, Mapping):
        return {key: convert(a, str(key)) for key, a in argument.items()}
    if isinstance(argument, np.ndarray | list | np.generic | int | float) or hasattr(argument, "__array__"):
        return numbers(argument, name)
    return argument


def _arrays(argument: Any, name: str) -> list[tuple[str, Array]]:
    """The arrays inside an argument, with names."""
    if isinstance(argument, tuple):
        return [pair for k, a in enumerate(argument) for pair in _arrays(a, f"{name}[{k}]")]
    if isinstance(argument, dict):
        return [pair for key, a in argument.items() for pair in _arrays(a, str(key))]
    return [(name, argument)] if isinstance(argument, np.ndarray) and argument.ndim else []


def _other_length(arguments: tuple[Any, ...], y: Array) -> int | None:
    """The number of the first column that is not as long as the response."""
    for k, argument in enumerate(arguments):
        if isinstance(argument, np.ndarray) and argument.ndim == 1 == y.ndim and argument.size != y.size:
            return k
    return None


def _weights(
    sigma: Any, weights: Any, shape: tuple[int, ...], table: Any
) -> tuple[Vector | None, Vector | None]:
    """Square-root weights and known standard deviations, flat."""
    if sigma is not None and weights is not None:
        raise DataError("give sigma (known standard deviations) or weights (relative), not both")
    if sigma is not None:
        known = _per_point(sigma, "sigma", shape, table)
        _refuse(known <= 0.0, known, "sigma", "a standard deviation must be positive")
        return 1.0 / known, known
    if weights is not None:
        relative = _per_point(weights, "weights", shape, table)
        _refuse(relative < 0.0, relative, "weights", "a weight must not be negative")
        if not np.any(relative):
            raise DataError("all weights are zero: no point is left to fit")
        return np.sqrt(relative), None
    return None, None


def _per_point(values: Any, name: str, shape: tuple[int, ...], table: Any) -> Vector:
    if isinstance(values, str):
        if table is None:
            raise DataError(f"{name}={values!r} names a column, but no table was given (data=...)")
        values = column(table, values)
    array = numbers(values, name)
    if array.dtype.kind == "c":
        raise DataError(f"{name} must be real")
    if array.ndim == 2 and array.shape == (shape[-1], shape[-1]) and len(shape) == 1:
        raise DataError(
            f"{name} is a matrix: correlated errors are not taken; whiten model and data "
            "with its Cholesky factor"
        )
    try:
        return np.ascontiguousarray(np.broadcast_to(array, shape)).ravel()
    except ValueError:
        raise DataError(f"lengths differ: {name} has shape {array.shape}, the response {shape}") from None


def _refuse(bad: NDArray[np.bool_], values: Vector, name: str, why: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{name} is {values[row]:g} in row {row}: {why}")


def _bad_rows(data: Data, sigma: Any, weights: Any) -> tuple[NDArray[np.bool_], str] | None:
    """Which points hold something that is not finite, and the name of the column of the first of them."""
    series = [p for a, n in zip(data.arguments, data.names, strict=True) for p in _arrays(a, n)]
    series.append((data.y_name, data.y))
    if data.w is not None:
        series.append(("sigma" if sigma is not None else "weights", data.w))
    bad = np.zeros(data.y.size, dtype=bool)
    guilty = ""
    for name, values in series:
        wrong = ~np.isfinite(np.atleast_1d(values))
        if not wrong.any():
            continue
        if values.size == data.y.size:
            wrong = wrong.ravel()
        elif values.shape[-1] == data.y.size:  # (k, N): any of the k
            wrong = wrong.reshape(-1, data.y.size).any(axis=0)
        else:
            raise DataError(
                f"{name!r} holds {values.ravel()[np.argmax(wrong)]} (flat position {np.argmax(wrong)})"
            )
        if not bad.any() or np.argmax(wrong) < np.argmax(bad):
            guilty = name
        bad = bad | wrong
    return (bad, guilty) if guilty else None


def _drop(data: Data, bad: NDArray[np.bool_], guilty: str, missing: str) -> Data:
    row, count = int(np.argmax(bad)), int(bad.sum())
    if missing == "error":
        more = f" ({count} rows in all)" if count > 1 else ""
        raise DataError(
            f"column {guilty!r} is missing or not finite in row {row}{more}, counting from 0; "
            "remove it, or say missing='drop'"
        )
    if count == bad.size:
        raise DataError("no row is left: every row has a value that is missing or not finite")
    keep = ~bad
    if data.y.ndim > 1 or _other_length(data.arguments, data.y) is not None:
        return _mask(data, keep)
    arguments = tuple(_take(a, keep) for a in data.arguments)
    part = [None if v is None else v[keep] for v in (data.w, data.sigma)]
    return Data(
        arguments, data.names, data.y[keep], data.y_name, part[0], part[1], count, np.flatnonzero(keep)
    )


def _take(argument: Any, keep: NDArray[np.bool_]) -> Any:
    if isinstance(argument, tuple):
        return tuple(_take(a, keep) for a in argument)
    if isinstance(argument, dict):
        return {key: _take(a, keep) for key, a in argument.items()}
    if isinstance(argument, np.ndarray) and argument.ndim:
        if argument.shape[-1] == keep.size:
            return argument[..., keep]
        if argument.size == keep.size:
            raise DataError("rows of a two-dimensional grid cannot be dropped: flatten x and y first")
    return argument


def thin(data: Data, count: int) -> Data | None:
    """`count` rows drawn at random (always the same ones); None where there are not many more, or no rows.

    Random rows, because every n-th one would alias a fast oscillation.
    """
    if data.y.ndim != 1 or data.y.size < 4 * count:
        return None
    keep = np.zeros(data.y.size, dtype=bool)
    keep[np.random.default_rng(0).choice(data.y.size, count, replace=False)] = True
    if not all(_has_rows(a, data.y.size) for a in data.arguments):
        return None
    arguments = tuple(_take(a, keep) for a in data.arguments)
    part = [None if v is None else v[keep] for v in (data.w, data.sigma)]
    return Data(arguments, data.names, data.y[keep], data.y_name, part[0], part[1])


def _has_rows(argument: Any, size: int) -> bool:
    """Can rows be taken from the argument: does each of its arrays end in a dimension of that size?"""
    arrays = _arrays(argument, "")
    return bool(arrays) and all(a.shape[-1] == size for _, a in arrays)


def _mask(data: Data, keep: NDArray[np.bool_]) -> Data:
    """A response whose rows are not those of `x` keeps its shape: what is missing gets weight zero."""
    for argument, name in zip(data.arguments, data.names, strict=True):
        if any(not np.isfinite(a).all() for _, a in _arrays(argument, name)):
            raise DataError(
                f"{name!r} has missing values: only the response may, when its rows are not those of {name!r}"
            )
    y = np.where(keep.reshape(data.y.shape), data.y, 0.0)
    w = np.where(keep, 1.0 if data.w is None else data.w, 0.0)
    return Data(data.arguments, data.names, y, data.y_name, w, data.sigma, int(keep.size - keep.sum()))


# ----------------------------------------------------------------------- which values go to which argument


def from_table(
    signature: Signature, table: Any, x: Any, y: Any, parameters: frozenset[str]
) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Independent variables out of a table: the arguments named like columns, or the columns `x`."""
    names = column_names(table)
    if x is None:
        response = y if isinstance(y, str) else None
        known = (*signature.required, *signature.defaults)
        chosen = tuple(n for n in known if n in names and n != response and n not in parameters)
        if not chosen:
            raise DataError(
                f"no argument of `{signature.name}` is named like a column (arguments: {', '.join(known)}; "
                f"columns: {', '.join(names)}); say which columns it takes with x='name'"
            )
        return chosen, tuple(column(table, n) for n in chosen)
    wanted = (x,) if isinstance(x, str) else tuple(x)
    if not all(isinstance(n, str) for n in wanted):
        raise DataError("with data=, x is the name of a column or several names; give arrays without data=")
    return signature.positional[: len(wanted)], tuple(column(table, n) for n in wanted)


def response_of(y: Any, table: Any) -> tuple[Any, str]:
    """The response and its name: a column named by a string, or an array."""
    if isinstance(y, str):
        if table is None:
            raise DataError(f"y={y!r} names a column, but no table was given (data=...)")
        return column(table, y), y
    return y, str(getattr(y, "name", None) or "y")


def from_x(
    signature: Signature, x: Any, size: int, parameters: frozenset[str], n_start: int | None
) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Independent variables of a function from `x`: one argument, or several one by one.

    A table is given by column names. A tuple of arrays and a two-dimensional array are either one
    argument, as in SciPy's curve_fit, or one argument each: what `start` says about the number of
    parameters decides, and where it is silent a trial call.
    """
    if x is None:
        return (), ()
    positional = signature.positional
    if is_table(x):
        names = column_names(x)
        matching = tuple(n for n in positional if n in names and n not in parameters)
        if matching:
            return matching, tuple(column(x, n) for n in matching)
        if len(names) == 1:
            return positional[:1], (column(x, names[0]),)
        return _first(signature), ({n: column(x, n) for n in names},)
    if isinstance(x, tuple) and all(np.ndim(a) == 0 for a in x):
        x = np.asarray(x)
    if isinstance(x, list) and np.ndim(x[0] if x else 0) > 0:
        x = np.asarray(x, dtype=np.float64) if len({np.size(a) for a in x}) == 1 else tuple(x)
    if isinstance(x, tuple):
        parts = x
    elif isinstance(x, np.ndarray) and x.ndim == 2 and x.shape[-1] == size:
        parts = tuple(np.asarray(x))
    else:
        return _first(signature), (x,)
    if len(parts) == 1 and isinstance(x, tuple):
        return _first(signature), parts
    packed = convert(x, positional[0] if positional else "x")
    if _is_packed(signature, packed, len(parts), size, parameters, n_start):
        return _first(signature), (packed,)
    return positional[: len(parts)], parts


def _first(signature: Signature) -> tuple[str, ...]:
    if not signature.positional:
        raise DataError(f"`{signature.name}` has no argument for the independent variable")
    return signature.positional[:1]


def _is_packed(
    signature: Signature, x: Any, count: int, size: int, parameters: frozenset[str], n_start: int | None
) -> bool:
    """Does the function take `x` (a tuple or rows) as its first argument rather than one argument each?"""
    positional, required = signature.positional, signature.required
    if count >= len(positional) and signature.star is None:
        return True
    if any(n in parameters for n in positional[1:count]):
        return True
    if signature.star is not None:
        return len(required) < count
    if n_start is not None and len(required) - 1 != len(required) - count:
        if n_start == len(required) - count:
            return False
        if n_start == len(required) - 1:
            return True
    rest = {n: 1.0 for n in required[1:]}
    return _gives(signature.function, (x,), rest, size)


def _gives(
    function: Callable[..., Any], arguments: tuple[Any, ...], rest: Mapping[str, float], size: int
) -> bool:
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(function(*arguments, **rest))
    except Exception:
        return False
    return value.size == size and value.dtype.kind in "fciub"


def check_columns_of_formula(names: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Every data name of a formula must be a column."""
    for name in names:
        if name not in known:
            raise DataError(f"the data have no column {name!r}{suggestion(name, known)}")
