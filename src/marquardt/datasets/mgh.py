"""The 35 test problems of Moré, Garbow and Hillstrom (1981), their starts and known minima.

Source: J. J. Moré, B. S. Garbow, K. E. Hillstrom (1981), Testing unconstrained optimization software, ACM
Transactions on Mathematical Software 7, 17-41. Minima there have six digits; here they have been computed
anew to twelve.

>>> from marquardt.datasets import mgh
>>> beale = mgh.load("beale")
>>> beale.n, beale.m, beale.minima, beale.limits
(2, 3, (0.0,), (0.452009989235,))
>>> beale.residuals(beale.start)
array([1.5  , 2.25 , 2.625])
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, suggestion
from . import mgh_any_size as general
from . import mgh_data_fits as fixed

Vector = NDArray[np.float64]
Rss = tuple[float, ...]

SOURCE = "Moré, Garbow, Hillstrom (1981), Testing unconstrained optimization software, ACM TOMS 7, 17-41"
CLOSE, NOTHING = 1e-6, 1e-14  # how near a sum of squares must be to a known one: relative, or absolute


@dataclass(frozen=True, eq=False, repr=False)
class MghProblem:
    """One problem: residuals of the parameter vector, the standard start, and the known ends of a search.

    All values are sums of squares (twice the cost). ``minima`` are values at minima, the least first,
    those of the paper and others that searches from random starts have found (there may be more);
    ``limits`` are approached, but not attained, as parameters run to infinity; ``saddles`` are values at
    other stationary points. Minima of sizes that the paper does not tabulate may be unknown: then empty.
    """

    number: int
    name: str
    title: str
    residuals: Callable[[Any], Any]
    start: Vector
    m: int
    minima: Rss
    limits: Rss
    saddles: Rss
    source: str = SOURCE

    @property
    def n(self) -> int:
        return len(self.start)

    def start_times(self, factor: float) -> Vector:
        """The standard start times `factor`; where that start is 0 (Watson), `factor` in every place.

        So do the test programs of MINPACK.

        >>> load("rosenbrock").start_times(10)
        array([-12.,  10.])
        """
        if factor == 1 or self.start.any():
            return factor * self.start
        return np.full(self.n, float(factor))

    def kind(self, rss: float) -> str:
        """What is known at this sum of squares: "best", "minimum", "limit", "saddle", or "" for nothing.

        Known is what agrees to 1e-6 of the value or 1e-14 absolutely.

        >>> problem = load("freudenstein_roth")
        >>> problem.kind(1e-20), problem.kind(48.98425368), problem.kind(50.0)
        ('best', 'minimum', '')
        """
        groups = {"best": self.minima[:1], "minimum": self.minima[1:], "limit": self.limits}
        for kind, values in {**groups, "saddle": self.saddles}.items():
            if any(abs(rss - value) <= max(CLOSE * value, NOTHING) for value in values):
                return kind
        return ""

    def __repr__(self) -> str:
        return f"MghProblem({self.number}, {self.name!r}, n={self.n}, m={self.m})"


def names() -> tuple[str, ...]:
    """The names of the 35 problems, in the order of the paper."""
    return tuple(_ROWS)


def load(name: str, n: int | None = None) -> MghProblem:
    """One problem by name; `n` is the number of parameters where that may be chosen (problems 20 to 35).

    Raises DataError for an unknown name or an impossible size, and names the possible ones.

    >>> load("chebyquad"), load("chebyquad", n=9).minima
    (MghProblem(35, 'chebyquad', n=8, m=8), (0.0,))
    """
    if name not in _ROWS:
        raise DataError(f"there is no MGH problem {name!r}{suggestion(name, _ROWS)}")
    row = _ROWS[name]
    size = row.sizes[0] if n is None else n
    known = row.known(size)
    if known is None:
        raise DataError(f"{name} has no size n = {n}; {row.which}")
    start = np.array(row.start(size), dtype=np.float64)
    m = len(row.residuals(start))
    number = list(_ROWS).index(name) + 1
    return MghProblem(number, name, row.title, row.residuals, start, m, *known)


def problems(every_size: bool = False) -> tuple[MghProblem, ...]:
    """The 35 problems; with `every_size`, in each size whose minimum is tabulated: 40.

    >>> len(problems()), len(problems(every_size=True))
    (35, 40)
    """
    return tuple(
        load(name, n) for name, row in _ROWS.items() for n in (row.sizes if every_size else row.sizes[:1])
    )


class _Row(NamedTuple):
    title: str
    residuals: Callable[[Any], Any]
    start: Callable[[int], Any]
    sizes: tuple[int, ...]  # the first is the default
    which: str  # sizes there are, in words
    allowed: Callable[[int], bool]
    minima: dict[int, Rss] | Callable[[int], Rss]  # a dict holds what is tabulated
    limits: Rss = ()
    saddles: Rss = ()

    def known(self, n: int) -> tuple[Rss, Rss, Rss] | None:
        """Minima, limits and saddles of size n; None where there is no such size."""
        if not self.allowed(n):
            return None
        minima = self.minima(n) if callable(self.minima) else self.minima.get(n, ())
        return (minima, self.limits, self.saddles) if n in self.sizes else (minima, (), ())


def _fixed(
    title: str, residuals: Callable[[Any], Any], start: list[float], *minima: float,
    limits: Rss = (), saddles: Rss = (),
) -> _Row:  # fmt: skip
    n = len(start)
    only = f"it has {n} parameters"
    return _Row(title, residuals, lambda _: start, (n,), only, lambda k: k == n, {n: minima}, limits, saddles)


def _any(
    title: str, residuals: Callable[[Any], Any], start: Callable[[int], Any], sizes: tuple[int, ...],
    minima: dict[int, Rss] | Callable[[int], Rss], least: int = 2, most: int | None = None, step: int = 1,
    saddles: Rss = (),
) -> _Row:  # fmt: skip
    which = f"n is from {least}" + (f" to {most}" if most else " on")
    which += f" and a multiple of {step}" if step > 1 else ""
    return _Row(
        title, residuals, start, sizes, which,
        lambda n: least <= n <= (most or n) and n % step == 0, minima, (), saddles,
    )  # fmt: skip


def _zero(_: int) -> Rss:
    return (0.0,)


def _inner(n: int) -> Vector:
    """1/(n+1), ..., n/(n+1)."""
    return np.arange(1, n + 1) / (n + 1)


def _parabola(n: int) -> Vector:
    return _inner(n) * (_inner(n) - 1)


_M = general.LINEAR_M
# The paper prints the second; the others were found by searches from random starts.
_TRIGONOMETRIC_10 = (4.47356581281e-7, 2.79505612188e-5, 4.21863388792e-5, 8.78822521822e-4)
_ROWS: dict[str, _Row] = {
    "rosenbrock": _fixed("Rosenbrock", fixed.rosenbrock, [-1.2, 1], 0.0),
    "freudenstein_roth": _fixed(
        "Freudenstein and Roth", fixed.freudenstein_roth, [0.5, -2], 0.0, 48.9842536792
    ),
    "powell_badly_scaled": _fixed(
        "Powell badly scaled", fixed.powell_badly_scaled, [0, 1], 0.0, 1.04029400396
    ),
    "brown_badly_scaled": _fixed("Brown badly scaled", fixed.brown_badly_scaled, [1, 1], 0.0),
    "beale": _fixed("Beale", fixed.beale, [1, 1], 0.0, limits=(0.452009989235,)),
    "jennrich_sampson": _fixed(
        "Jennrich and Sampson", fixed.jennrich_sampson, [0.3, 0.4], 124.362182356, limits=(259.580190134,)
    ),
    "helical_valley": _fixed("Helical valley", fixed.helical_valley, [-1, 0, 0], 0.0),
    "bard": _fixed("Bard", fixed.bard, [1, 1, 1], 0.00821487730658, limits=(17.4286933333,)),
    "gaussian": _fixed("Gaussian", fixed.gaussian, [0.4, 1, 0], 1.12793276962e-8),
    "meyer": _fixed("Meyer", fixed.meyer, [0.02, 4000, 250], 87.9458551703),
    "gulf": _fixed("Gulf research and development", fixed.gulf, [5, 2.5, 0.15], 0.0),
    "box": _fixed("Box three-dimensional", fixed.box, [0, 10, 20], 0.0, limits=(0.075588740755,)),
    "powell_singular": _fixed("Powell singular", fixed.powell_singular, [3, -1, 0, 1], 0.0),
    "wood": _fixed("Wood", fixed.wood, [-3, -1, -3, -1], 0.0),
    "kowalik_osborne": _fixed(
        "Kowalik and Osborne", fixed.kowalik_osborne, [0.25, 0.39, 0.415, 0.39],
        0.000307505603849, 0.000423674626470, 0.00159435202602, limits=(0.0010273430487,),
    ),
    "brown_dennis": _fixed("Brown and Dennis", fixed.brown_dennis, [25, 5, -5, -1], 85822.2016264),
    "osborne_1": _fixed("Osborne 1", fixed.osborne_1, [0.5, 1.5, -1, 0.01, 0.02], 5.46489469748e-5),
    "biggs_exp6": _fixed(
        "Biggs EXP6", fixed.biggs_exp6, [1, 2, 1, 1, 1, 1], 0.0, limits=(0.0056556499255, 0.306366772491)
    ),
    "osborne_2": _fixed(
        "Osborne 2", fixed.osborne_2, [1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5],
        0.0401377362935, limits=(1.78981358688,),
    ),
    "watson": _any(
        "Watson", general.watson, np.zeros, (6, 9, 12),
        {6: (0.00228767005355,), 9: (1.39976013810e-6,), 12: (4.72238110589e-10,)}, most=31,
    ),
    "extended_rosenbrock": _any(
        "Extended Rosenbrock", general.extended_rosenbrock, lambda n: np.tile([-1.2, 1], n // 2), (10,),
        _zero, step=2,
    ),
    "extended_powell_singular": _any(
        "Extended Powell singular", general.extended_powell_singular,
        lambda n: np.tile([3.0, -1, 0, 1], n // 4), (12,), _zero, least=4, step=4,
    ),
    "penalty_1": _any(
        "Penalty I", general.penalty_1, lambda n: np.arange(1, n + 1), (10,),
        {4: (2.24997750090e-5,), 10: (7.08765146709e-5,)}, least=1,
    ),
    "penalty_2": _any(
        "Penalty II", general.penalty_2, lambda n: np.full(n, 0.5), (10, 4),
        {4: (9.37629300736e-6,), 10: (0.000293660537457,)}, least=2,
    ),
    "variably_dimensioned": _any(
        "Variably dimensioned", general.variably_dimensioned, lambda n: 1 - np.arange(1, n + 1) / n, (10,),
        _zero, least=1,
    ),
    "trigonometric": _any(
        "Trigonometric", general.trigonometric, lambda n: np.full(n, 1 / n), (10,),
        lambda n: (0.0, *_TRIGONOMETRIC_10) if n == 10 else (0.0,), least=1,
    ),
    "brown_almost_linear": _any(
        "Brown almost-linear", general.brown_almost_linear, lambda n: np.full(n, 0.5), (10,), _zero,
        saddles=(1.0,),
    ),
    "discrete_boundary_value": _any(
        "Discrete boundary value", general.discrete_boundary_value, _parabola, (10,), _zero, least=1
    ),
    "discrete_integral": _any(
        "Discrete integral equation", general.discrete_integral, _parabola, (10,), _zero, least=1
    ),
    "broyden_tridiagonal": _any(
        "Broyden tridiagonal", general.broyden_tridiagonal, lambda n: -np.ones(n), (10,), _zero, least=1
    ),
    "broyden_banded": _any(
        "Broyden banded", general.broyden_banded, lambda n: -np.ones(n), (10,), _zero, least=1
    ),
    "linear_full_rank": _any(
        "Linear, full rank", general.linear_full_rank, np.ones, (5,), lambda n: (float(_M - n),), least=1,
        most=_M,
    ),
    "linear_rank_1": _any(
        "Linear, rank 1", general.linear_rank_1, np.ones, (5,),
        lambda n: (_M * (_M - 1) / (2 * (2 * _M + 1)),), least=1, most=_M,
    ),
    "linear_rank_1_zeros": _any(
        "Linear, rank 1 with zero columns and rows", general.linear_rank_1_zeros, np.ones, (5,),
        lambda n: ((_M**2 + 3 * _M - 6) / (2 * (2 * _M - 3)),), least=3, most=_M,
    ),
    "chebyquad": _any(
        "Chebyquad", general.chebyquad, _inner, (8, 9, 10),
        {**dict.fromkeys((*range(1, 8), 9), (0.0,)), 8: (0.00351687372568,),
         10: (0.00477271369638, 0.00650395480088)}, least=1,
    ),
}  # fmt: skip
