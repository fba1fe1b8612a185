"""The data of a fit: independent variables in whatever form, the response, weights, and missing rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import all_finite
from ..errors import DataError, suggestion
from ..problem.whitening import Whitening
from .columns import Array, column, column_names, is_table, numbers
from .signature import Signature
from .weights import OfPrediction, weights_of, whitening_of

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
    """Per point; of complex data also per number, real parts first. Where errors are correlated, those of
    the standard deviations alone."""
    sigma: Vector | None = None
    dropped: int = 0
    rows: NDArray[np.intp] | None = None
    """Position of each row in what was given, where rows were dropped."""
    whitening: Whitening | None = None
    """What makes residuals independent, in place of `w`."""
    of_prediction: OfPrediction | None = None
    """The formula that sigma or weights follow."""

    @property
    def n_points(self) -> int:
        """Numbers compared with the model: complex ones count twice, points of weight zero not at all."""
        parts = 2 if self.y.dtype.kind == "c" else 1
        if self.w is None:
            return parts * self.y.size
        return int(np.count_nonzero(self.w)) * (1 if self.w.size > self.y.size else parts)

    def flat(self) -> tuple[Vector, Vector | None]:
        """Flat `y` and `w`; complex values as all real parts, then all imaginary ones."""
        y, w = self.y, self.w
        if y.dtype.kind == "c":
            y = np.concatenate([y.real.ravel(), y.imag.ravel()])
            w = np.concatenate([w, w]) if w is not None and w.size < y.size else w
        return y.ravel(), w

    def weighted(self, w: Vector, sigma: Vector | None) -> Data:
        """The same data with other weights."""
        return replace(self, w=w, sigma=sigma)

    def uncorrelated(self) -> Data:
        """The same data with errors taken as independent."""
        return replace(self, whitening=None)

    def row(self, k: int) -> int:
        """The row given that number k of the response belongs to."""
        k %= self.y.size
        return k if self.rows is None else int(self.rows[k])


def plain_data(x: Any, y: Any) -> Data | None:
    """The short way for two clean one-dimensional float64 arrays; None when a closer look is needed."""
    if type(x) is not np.ndarray or type(y) is not np.ndarray:
        return None
    if x.ndim != 1 or x.size == 0 or x.shape != y.shape or x.dtype != np.float64 or y.dtype != np.float64:
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
    found = weights_of(sigma, weights, response, table, dict(zip(names, arguments, strict=True)))
    data = Data(arguments, names, response, y_name, found.w, found.sigma, of_prediction=found.formula)
    bad = _bad_rows(data, "weights" if sigma is None else "sigma")
    covariance = found.covariance
    if bad is not None:
        data = _drop(data, *bad, missing)
        if covariance is not None and data.rows is not None:
            covariance = _of_rows(covariance, data.rows, response)
    if covariance is not None:
        w = data.flat()[1]
        kept = None if w is None or np.all(w > 0.0) else w > 0.0
        data.whitening = whitening_of(covariance, data.y, kept, data.rows)
    return data


def _of_rows(covariance: Array, rows: NDArray[np.intp], y: Array) -> Array:
    """The part of a covariance of `y` that belongs to some rows."""
    if covariance.ndim == 3:
        return covariance[rows]
    if covariance.shape[0] > y.size:
        rows = np.concatenate([rows, rows + y.size])
    return np.asarray(covariance[np.ix_(rows, rows)])


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


def _bad_rows(data: Data, weighting: str) -> tuple[NDArray[np.bool_], str] | None:
    """Which points hold something that is not finite, and the name of the column of the first of them."""
    series = [p for a, n in zip(data.arguments, data.names, strict=True) for p in _arrays(a, n)]
    series.append((data.y_name, data.y))
    series += [(weighting, _per_row(v, data.y)) for v in (data.w, data.sigma) if v is not None]
    if data.of_prediction is not None:
        series += [(n, c) for n, c in data.of_prediction.columns.items() if c.ndim]
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
    return replace(_rows(data, keep), dropped=count, rows=np.flatnonzero(keep))


def _rows(data: Data, keep: NDArray[np.bool_]) -> Data:
    """The data of some rows; their errors are taken as independent."""
    part = [None if v is None else v[np.resize(keep, v.size)] for v in (data.w, data.sigma)]
    arguments = tuple(_take(a, keep) for a in data.arguments)
    formula = None if data.of_prediction is None else data.of_prediction.take(keep)
    return Data(arguments, data.names, data.y[keep], data.y_name, part[0], part[1], of_prediction=formula)


def rows_of(data: Data, at: NDArray[np.intp]) -> Data:
    """The data of the rows at these positions, in ascending order; their errors are taken as independent."""
    n = data.y.size
    part = [None if v is None else v.reshape(-1, n)[:, at].ravel() for v in (data.w, data.sigma)]
    arguments = tuple(_pick(a, at, n) for a in data.arguments)
    formula = data.of_prediction
    if formula is not None:
        keep = np.zeros(n, dtype=bool)
        keep[at] = True
        formula = formula.take(keep)
    return Data(arguments, data.names, data.y[at], data.y_name, part[0], part[1], of_prediction=formula)


def _pick(argument: Any, at: NDArray[np.intp], n: int) -> Any:
    if isinstance(argument, tuple):
        return tuple(_pick(a, at, n) for a in argument)
    if isinstance(argument, dict):
        return {key: _pick(a, at, n) for key, a in argument.items()}
    if isinstance(argument, np.ndarray) and argument.ndim and argument.shape[-1] == n:
        return np.ascontiguousarray(argument[..., at])
    return argument


def _per_row(values: Vector, y: Array) -> Vector:
    """One value per point, or with those of the imaginary parts beneath, (2, n)."""
    return values if values.size == y.size else values.reshape(2, -1)


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
    return _rows(data, keep)


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
    given = np.ones(1) if data.w is None else data.w
    w = np.where(keep if given.size <= keep.size else np.tile(keep, 2), given, 0.0)
    return replace(data, y=y, w=w, dropped=int(keep.size - keep.sum()))


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
