"""From declared residuals to a family of programs, or to a callback where they cannot be traced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import DataError, Untraceable
from .callback import FunctionCallback, GraphCallback
from .compiled import Family, Values
from .items import item_trace, vector_of, vector_of_item
from .lowering import Programs, programs
from .program import REPAID
from .residuals import Residuals
from .shipped import shipped
from .whitened import Whitening

Columns = list[Values]


def compile_family(declared: Residuals, positions: Mapping[str, int]) -> Family:
    """The family of these residuals; `positions` are those of the variables by name.

    Raises ModelError where the function fails or its result does not suit.
    """
    slots = declared.picks(positions)
    reason = ""
    if declared.jacobian is None:
        try:
            return _traced(declared, slots)
        except Untraceable as error:
            reason = str(error)
    return _called(declared, slots, reason)


# ------------------------------------------------------------------------------------------------ traced


def _traced(declared: Residuals, slots: Any) -> Family:
    families = [v.variables for v, _ in declared.slots]
    repaid = tuple(declared.n >= REPAID * len(v.values) for v in families)
    made = shipped(declared, repaid)
    if made is None:
        found = programs(item_trace(declared), [v.manifold for v in families])
        if found.missing is not None:
            return _by_numpy(declared, slots, found)
        made = found.made(tuple(v.values.shape[1] for v in families), repaid)
    whitening, columns = _whitening(declared, made.rows)
    return Family(
        declared.name, declared.n, made.rows, slots, (*_data_columns(declared, made.used), *columns),
        made.value.whitened(whitening), made.linear.whitened(whitening), _loss(declared),
        sigma_known=declared.sigma_known,
    )  # fmt: skip


def _by_numpy(declared: Residuals, slots: Any, found: Programs) -> Family:
    rows, columns = len(found.value), _data_columns(declared, found.used)
    called = GraphCallback(found, slots, columns, declared.n, _matrix(declared, rows))
    how = f"exact (traced), by NumPy: the core has no kernel for `{found.missing}`"
    return Family(
        declared.name, declared.n, rows, slots, (), None, None, _loss(declared), called, how,
        declared.sigma_known,
    )  # fmt: skip


def _loss(declared: Residuals) -> Any:
    return None if declared.loss is None else declared.loss.native()


def _data_columns(declared: Residuals, used: Sequence[int]) -> Columns:
    """The data columns that are needed, numbered over all data arrays."""
    flat = [(d.reshape(len(d), -1), j) for d in declared.data for j in range(int(np.prod(d.shape[1:])))]
    return [np.ascontiguousarray(flat[k][0][:, flat[k][1]]) for k in used]


def _whitening(declared: Residuals, rows: int) -> tuple[Whitening | None, Columns]:
    """Weights and square roots of information as entries of a matrix, and their columns."""
    factor = _matrix(declared, rows)
    if factor is None:
        return None, []
    columns: Columns = []
    entries: list[tuple[float | int | None, ...]] = []
    table = np.ascontiguousarray(factor.transpose(1, 2, 0))
    for i in range(rows):
        row: list[float | int | None] = []
        for j in range(rows):
            entry = table[i, j]
            if not entry.any():
                row.append(None)
            elif (entry == entry[0]).all():
                row.append(float(entry[0]))
            elif (known := _known(columns, entry)) is not None:
                row.append(known)
            else:
                row.append(len(columns))
                columns.append(entry)
        entries.append(tuple(row))
    return Whitening(tuple(entries), len(columns)), columns


def _known(columns: Columns, entry: Values) -> int | None:
    return next((k for k, c in enumerate(columns) if c[0] == entry[0] and np.array_equal(c, entry)), None)


def _matrix(declared: Residuals, rows: int) -> Values | None:
    """What residuals are multiplied by, (1 or n, rows, rows); None: nothing. Raises DataError."""
    W, weight = declared.sqrt_information, declared.weight
    if W is not None and W.shape[1] != rows:
        raise DataError(
            f"{declared.name!r}: sqrt_information is {W.shape[1]} x {W.shape[1]}, but an item has "
            f"{rows} residuals"
        )
    if weight is None:
        return W
    root = np.sqrt(weight)[:, None, None]
    return root * (np.eye(rows)[None] if W is None else W)


# -------------------------------------------------------------------------------------------- called back


def _called(declared: Residuals, slots: Any, reason: str) -> Family:
    """The function called with arrays of all items, or item by item if it cannot take them."""
    rows = len(vector_of_item(declared, 0))
    together = _takes_all(declared)
    function = declared.function if together else _one_by_one(declared.function, declared.n)

    def call(*given: Any) -> Any:
        n_values = len(declared.slots)
        return function(*declared.placed(given[:n_values], given[n_values:]))

    def own(*given: Any) -> Any:
        assert declared.jacobian is not None
        n_values = len(declared.slots)
        return declared.jacobian(*declared.placed(given[:n_values], given[n_values:]))

    matrix = _matrix(declared, rows)
    manifolds = [v.variables.manifold for v, _ in declared.slots]
    callback = FunctionCallback(
        declared.name, call, None if declared.jacobian is None else own, slots, manifolds, declared.data,
        declared.n, rows, matrix,
    )  # fmt: skip
    order = {p: v.variables.values for (p, _), (v, _) in zip(slots, declared.slots, strict=True)}
    callback.check([order.get(p, np.empty(0)) for p in range(max(order) + 1)])
    how = "own Jacobian" if declared.jacobian is not None else f"finite differences: {reason}"
    how += "" if together else "; called item by item, as it does not take arrays (n, components)"
    return Family(
        declared.name, declared.n, rows, slots, (), None, None, _loss(declared), callback, how,
        declared.sigma_known,
    )  # fmt: skip


def _takes_all(declared: Residuals) -> bool:
    """Does the function give for arrays of items what it gives for each of them?

    Tried beside the start, where no two items are alike, and with a number of items that is no other length.
    """
    lengths = {n for array in declared.data for n in array.shape[1:]}
    lengths |= {v.variables.values.shape[1] for v, _ in declared.slots}
    k = next(k for k in range(3, 9 + len(lengths)) if k not in lengths)
    items = np.arange(k) % declared.n
    noise = np.random.default_rng(0)
    try:
        values = []
        for v, index in declared.slots:
            manifold = v.variables.manifold
            d = 1e-3 * noise.standard_normal((k, manifold.tangent))
            values.append(manifold.retract(v.variables.values[index[items]], d))
        data = [d[items] for d in declared.data]
        each = [vector_of(declared, [x[i] for x in values], [d[i] for d in data]) for i in range(k)]
        with np.errstate(all="ignore"):
            found = np.asarray(declared.function(*declared.placed(values, data)), dtype=np.float64)
        return found.shape[0] == k and np.allclose(found.reshape(k, -1), each, equal_nan=True)
    except Exception:  # whatever it does not take them for
        return False


def _one_by_one(function: Callable[..., Any], n: int) -> Callable[..., Any]:
    def each(*arguments: Any) -> Any:
        arrays = [isinstance(a, np.ndarray) and a.ndim > 0 for a in arguments]
        pairs = list(zip(arguments, arrays, strict=True))
        rows = [function(*[a[i] if row else a for a, row in pairs]) for i in range(n)]
        return np.stack([np.ravel(np.asarray(row, dtype=np.float64)) for row in rows])

    return each
