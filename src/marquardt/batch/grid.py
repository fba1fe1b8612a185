"""Points that form a grid, and models that are sums of products of factors along its axes.

Twenty-five by twenty-five pixels are 50 positions: a model whose expressions are sums of
``u(x; p) * v(y; p)`` (`expr.product`) needs 50 exponentials instead of 625, and the sums of a least-squares
step become ``(sum_x u_i u_j) (sum_y v_i v_j)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..expr.graph import Graph, Node, rebuilt
from ..expr.product import Product, agrees, decompose, work
from ..expr.tape import TapeSpec, in_core, lower

if TYPE_CHECKING:
    from .engine import Chunk

Vector = NDArray[np.float64]

WORTH = 0.45
"""Products are used where they take at most this part of the arithmetic of the plain evaluation, which has
longer loops: round spots of 5 x 5 pixels (0.50) take 620 ns with products and 574 without, of 6 x 6 (0.44)
653 and 671, of 8 x 8 (0.37) 742 and 938."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Points that are all pairs of positions on two axes: point ``i*sizes[1] + j`` is pair (i, j).

    ``axis_of[k]`` is the axis along which column k varies, ``along[a]`` the values of the columns of axis a
    at its positions. An axis may stand for several of the data: of three coordinates two share one.
    """

    sizes: tuple[int, int]
    axis_of: tuple[int, ...]
    along: tuple[tuple[Vector, ...], tuple[Vector, ...]]

    def __str__(self) -> str:
        return f"{self.sizes[0]} x {self.sizes[1]}"


def find_grids(columns: Sequence[Vector]) -> list[Grid]:
    """Every way to see points with these coordinates (each (m,)) as the pairs of two axes; none: no grid.

    The coordinates may be in any order, and there may be more than two, as `numpy.meshgrid` makes them.

    >>> y, x = np.mgrid[:2, :3].astype(float)
    >>> [str(grid) for grid in find_grids([x.ravel(), y.ravel()])]
    ['2 x 3']
    """
    if not columns or columns[0].size < 4:
        return []
    strides = [_first_run(column) for column in columns]
    if not all(np.isfinite(column).all() for column in columns):
        return []
    m = columns[0].size
    grids = [_split(columns, strides, inner) for inner in sorted({s for s in strides if 1 < s < m})]
    return [grid for grid in grids if grid is not None]


def _first_run(column: Vector) -> int:
    """How many points have the coordinate of the first one before another comes."""
    other = column != column[0]
    return int(other.argmax()) if other.any() else int(column.size)


def _split(columns: Sequence[Vector], strides: Sequence[int], inner: int) -> Grid | None:
    """The grid whose second axis has `inner` positions, if the columns vary along one of its axes each."""
    m = columns[0].size
    if m % inner:
        return None
    axis_of = tuple(0 if stride >= inner else 1 for stride in strides)
    along: tuple[list[Vector], list[Vector]] = ([], [])
    for column, axis in zip(columns, axis_of, strict=True):
        table = column.reshape(-1, inner)
        values = table[:, :1] if axis == 0 else table[:1]
        if not (table == values).all():
            return None
        along[axis].append(np.ascontiguousarray(values.ravel()))
    return Grid((m // inner, inner), axis_of, (tuple(along[0]), tuple(along[1])))


def on_whole_grid(chunk: Chunk) -> NDArray[np.bool_] | None:
    """Which fits of a chunk have every point of the grid that all share, with the same weight; None: none."""
    if any(column.ndim != 1 for column in chunk.x):
        return None
    if chunk.weights is not None and (chunk.weights.ndim != 1 or np.ptp(chunk.weights) != 0.0):
        return None
    return np.ones(len(chunk), dtype=np.bool_) if chunk.mask is None else np.all(chunk.mask, axis=1)


@dataclass(frozen=True, slots=True)
class Separable:
    """A model and its derivatives as sums of products on a grid, ready for the core.

    ``factors[a]`` computes the factors of axis a from the parameters and the columns of that axis,
    ``coefficients`` the distinct coefficients; ``terms`` holds (output, product, coefficient) rows and
    ``monomials`` the two factors of every product.
    """

    grid: Grid
    product: Product
    coefficients: TapeSpec
    factors: tuple[TapeSpec, TapeSpec]
    monomials: NDArray[np.uint32]
    terms: NDArray[np.uint32]

    def __str__(self) -> str:
        n, m = self.grid.sizes
        return f"separable on the {self.grid} grid: factors at {n + m} positions for {n * m} points"

    def native(self) -> _core.Grid:
        """The same in the core."""
        return _core.Grid(
            self.grid.sizes,
            _tape(self.coefficients),
            (_tape(self.factors[0]), _tape(self.factors[1])),
            self.grid.along,
            self.monomials.tolist(),
            self.terms.tolist(),
            len(self.product.outputs),
        )


def _tape(s: TapeSpec) -> _core.Tape:
    return _core.Tape(
        s.n_params, s.constants, s.prologue, s.n_inputs, s.code, s.n_registers, s.outputs, s.guards
    )


def separable(
    graph: Graph,
    outputs: Sequence[Node],
    columns: Sequence[Vector],
    n_params: int,
    points: Iterable[Sequence[float]],
) -> Separable | None:
    """`outputs` (the model, then its derivatives) as products on the grid of the `columns`, where that pays.

    The products are compared with the expressions at `points` in parameter space before they are believed.
    """
    tried = [on_grid(graph, outputs, grid) for grid in find_grids(columns)]
    found = [pair for pair in tried if pair is not None]
    if not found:
        return None
    product, grid = min(found, key=lambda pair: product_work(*pair))
    n, m = grid.sizes
    if product_work(product, grid) > WORTH * n * m * plain_work(outputs):
        return None
    few = np.linspace(0, n * m - 1, min(n * m, 64)).astype(np.intp)
    if not agrees(product, outputs, points, [column[few] for column in columns]):
        return None
    return lowered(graph, product, grid, n_params)


def on_grid(graph: Graph, outputs: Sequence[Node], grid: Grid) -> tuple[Product, Grid] | None:
    """`outputs` as products on a grid, where the core can compute them."""
    product = decompose(graph, outputs, grid.axis_of)
    if product is None or product.n_axes != 2:
        return None
    factors = [factor for axis in product.factors for factor in axis]
    if in_core([*factors, *(c for row in product.outputs for _, c in row)]) is not None:
        return None
    return product, grid


def plain_work(outputs: Sequence[Node]) -> float:
    """Arithmetic of one point without products: the expressions, then the sums of products of [J r]."""
    columns = len(outputs)
    return work(outputs) + columns * (columns + 1) / 2


def product_work(product: Product, grid: Grid) -> float:
    """The same of all points of the grid with products."""
    pairs = [len(axis) * (len(axis) + 1) / 2 for axis in product.factors]
    along = sum(
        size * (work(axis) + both)
        for size, axis, both in zip(grid.sizes, product.factors, pairs, strict=True)
    )
    n, m = grid.sizes
    across = {product.monomials[k][1] for k, _ in product.outputs[0]}
    each = 3 + len(across) + len(product.factors[1])
    terms, p = len(product.monomials), len(product.outputs)
    return along + n * m * each + n * terms + terms * (terms + 1) / 2 + p * (p + 1)


def lowered(graph: Graph, product: Product, grid: Grid, n_params: int) -> Separable:
    """The tapes of a decomposition."""
    places: dict[Node, int] = {}
    terms = [
        (o, k, places.setdefault(coefficient, len(places)))
        for o, row in enumerate(product.outputs)
        for k, coefficient in row
    ]
    return Separable(
        grid,
        product,
        lower(graph, list(places), n_params),
        (_factors(graph, product, grid, 0, n_params), _factors(graph, product, grid, 1, n_params)),
        np.array(product.monomials, dtype=np.uint32),
        np.array(terms, dtype=np.uint32).reshape(-1, 3),
    )


def _factors(graph: Graph, product: Product, grid: Grid, axis: int, n_params: int) -> TapeSpec:
    """The factors of one axis, whose columns are numbered from 0 in their tape."""
    place, data = 0, []
    for other in grid.axis_of:
        data.append(graph.data(place if other == axis else 0))
        place += other == axis
    params = [graph.param(i) for i in range(n_params)]
    nodes = rebuilt(graph, product.factors[axis], params, data)
    return lower(graph, nodes, n_params, n_columns=place)
