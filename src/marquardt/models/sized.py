"""Models of any size: polynomials, rational functions, sums of peaks. Each size is made once and kept."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from ..errors import ModelError
from .grid import Matrix, Vector, combinations, project, sizes, spacing, span, tidy
from .peaks import centers, gaussian, lorentzian, pseudo_voigt, voigt
from .row import Row, Values

PEAKS = {f.__name__: f for f in (gaussian, lorentzian, voigt, pseudo_voigt)}
LARGEST = 20
"""Terms of a sum, and degrees of a polynomial, at most."""


@dataclass(frozen=True)
class Sized:
    """A family of models that differ in size: `pattern` finds the sizes in a name such as ``rational21``."""

    name: str
    pattern: str
    make: Callable[..., Row]
    formula: str
    about: str

    def row(self, name: str) -> Row | None:
        """The model called `name`, if it is one of this family."""
        match = re.fullmatch(self.pattern, name)
        return None if match is None else self.make(*[int(size) for size in match.groups()])


def polynomial(degree: int) -> Callable[..., Any]:
    """The polynomial ``c0 + c1*x + ... + cn*x**n``, by Horner's rule; ``polynomial2`` by name.

    Start: linear least squares, which is the fit.

    >>> polynomial(2)(2.0, 1.0, 1.0, 1.0)
    7.0
    """
    return polynomial_row(degree).function


def rational(numerator: int, denominator: int) -> Callable[..., Any]:
    """A ratio of polynomials: ``(a0 + a1*x + ...)/(1 + b1*x + ...)``; ``rational21`` by name.

    Start: linear least squares for ``y*(1 + b1*x + ...) = a0 + a1*x + ...``, repeated with the denominator
    found as weight; the best of the rounds. Source: Sanathanan, Koerner (1963).

    >>> rational(1, 1)(2.0, 1.0, 1.0, 0.5)
    1.5
    """
    return rational_row(numerator, denominator).function


def sum_of(peak: Callable[..., Any], count: int) -> Callable[..., Any]:
    """The sum of `count` peaks; parameters are ``height1, center1, ...``; ``gaussian2`` by name.

    peak : `gaussian`, `lorentzian`, `voigt` or `pseudo_voigt`.

    Start: peaks are added one by one where they lower the rss most, all heights by linear least squares, with
    one width for all from a grid, or each its own; two and three also in all places at once. Many guesses
    go some steps, the best of them to the end.

    >>> two = sum_of(gaussian, 2)
    >>> float(two(0.0, height1=2.0, center1=0.0, width1=1.0, height2=1.0, center2=50.0, width2=1.0))
    2.0
    """
    if PEAKS.get(getattr(peak, "__name__", "")) is not peak:
        raise ModelError(f"sum_of adds up one of {', '.join(PEAKS)}, not {peak!r}")
    return sum_row(peak.__name__, count).function


@cache
def polynomial_row(degree: int) -> Row:
    _check("polynomial", degree, 0)
    names = [f"c{k}" for k in range(degree + 1)]

    def start(x: Vector, y: Vector) -> list[Values]:
        x, y = tidy(x, y)
        unit = float(np.abs(x).max()) or 1.0
        basis = np.vander(x / unit, degree + 1, increasing=True)
        solved = np.linalg.lstsq(basis, y, rcond=None)[0] / unit ** np.arange(degree + 1.0)
        return [tuple(solved.tolist())]

    def value(x: Any, c: Sequence[Any]) -> Any:
        return _horner(x, c)

    about = f"Polynomial of degree {degree}."
    formula = " + ".join([*names[:1], *[f"{c}*x^{k}" for k, c in enumerate(names) if k]])
    return Row(_named(f"polynomial{degree}", names, value, about), start, formula)


@cache
def rational_row(numerator: int, denominator: int) -> Row:
    _check("rational", numerator, 0)
    _check("rational", denominator, 1)
    above = [f"a{k}" for k in range(numerator + 1)]
    below = [f"b{k}" for k in range(1, denominator + 1)]

    def value(x: Any, c: Sequence[Any]) -> Any:
        return _horner(x, c[: numerator + 1]) / (1.0 + x * _horner(x, c[numerator + 1 :]))

    top = " + ".join([above[0], *[f"{c}*x^{k}" for k, c in enumerate(above) if k]])
    bottom = " + ".join(["1", *[f"{c}*x^{k}" for k, c in enumerate(below, 1)]])
    about = f"Ratio of polynomials of degrees {numerator} and {denominator}."
    function = _named(f"rational{numerator}{denominator}", [*above, *below], value, about)
    return Row(function, partial(_start_rational, numerator, denominator), f"({top})/({bottom})")


@cache
def sum_row(peak: str, count: int) -> Row:
    _check(f"a sum of {peak}", count, 2)
    shape = PEAKS[peak]
    each = tuple(inspect.signature(shape).parameters)[1:]
    names = [f"{p}{k}" for k in range(1, count + 1) for p in each]
    size = len(each)

    def value(x: Any, c: Sequence[Any]) -> Any:
        total = shape(x, *c[:size])
        for k in range(1, count):
            total = total + shape(x, *c[k * size : (k + 1) * size])
        return total

    about = f"Sum of {count} {peak} peaks."
    formula = " + ".join(f"{peak}(x, {', '.join(f'{p}{k}' for p in each)})" for k in range(1, count + 1))
    return Row(
        _named(f"{peak}{count}", names, value, about),
        partial(_start_sum, peak, count),
        formula,
        1,
        peak in ("gaussian", "lorentzian"),
    )


def _check(what: str, size: int, least: int) -> None:
    if not (isinstance(size, int) and least <= size <= LARGEST):
        raise ModelError(f"{what}: the size must be a whole number from {least} to {LARGEST}, not {size!r}")


def _horner(x: Any, c: Sequence[Any]) -> Any:
    total = c[-1]
    for k in range(len(c) - 2, -1, -1):
        total = total * x + c[k]
    return total


def _named(name: str, parameters: Sequence[str], value: Callable[..., Any], about: str) -> Callable[..., Any]:
    """A function ``name(x, *parameters)`` of ``value(x, values)``."""
    names = tuple(parameters)

    def function(x: Any, *given: Any, **by_name: Any) -> Any:
        values = [*given, *[by_name.pop(n) for n in names[len(given) :] if n in by_name]]
        if by_name or len(values) != len(names):
            raise TypeError(f"{name}() takes x and the parameters {', '.join(names)}, each once")
        result = value(x, values)
        return result if len(names) > 1 else result + 0.0 * x  # a constant, at every point

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(n, kind) for n in ("x", *names)]
    )
    function.__name__ = function.__qualname__ = name
    function.__doc__ = about
    return function


def _start_rational(numerator: int, denominator: int, x: Vector, y: Vector) -> list[Values]:
    x, y = tidy(x, y, 1000)
    unit = float(np.abs(x).max()) or 1.0
    u = x / unit
    above = np.vander(u, numerator + 1, increasing=True)
    below = np.vander(u, denominator + 1, increasing=True)[:, 1:]
    weight, found = np.ones(u.size), []
    powers = unit ** np.concatenate([np.arange(numerator + 1.0), np.arange(1.0, denominator + 1)])
    for _ in range(12):
        basis = np.hstack([above, -y[:, None] * below]) * weight[:, None]
        (solved,), _ = project(basis[None], y * weight)
        bottom = 1.0 + below @ solved[numerator + 1 :]
        with np.errstate(all="ignore"):
            left = y - above @ solved[: numerator + 1] / bottom
            weight = 1.0 / np.maximum(np.abs(bottom), 1e-6 * np.abs(bottom).max())
        pole = bool((bottom <= 0).any())
        found.append((pole, float(left @ left), solved / powers))
    found.sort(key=lambda one: one[:2])
    return [tuple(solved.tolist()) for _, _, solved in found[:2]]


def _start_sum(peak: str, count: int, x: Vector, y: Vector) -> list[Values]:
    x, y = tidy(x, y, 150)
    shape, places = _symmetric(peak), centers(x, y, 20)
    widths = sizes(0.5 * spacing(x), 0.5 * span(x), 12)
    each = [np.stack([places, np.full(places.size, w)], axis=1) for w in widths]
    found = [_one_by_one(x, y, shape, choice, count) for choice in each]
    found += [_one_by_one(x, y, shape, np.concatenate(each), count, rounds) for rounds in (0, ROUNDS)]
    if count <= 3:
        found += _all_at_once(x, y, shape, count)
    found.sort(key=lambda one: one[0])
    return [_assembled(peak, *one[1:]) for one in found]


ROUNDS = 1
Found = tuple[float, Matrix, Vector]
"""Rss, (center, width) of each peak, and the heights."""


def _one_by_one(
    x: Vector, y: Vector, shape: Callable[..., Any], choice: Matrix, count: int, rounds: int = 0
) -> Found:
    """Peaks chosen one at a time, each lowering the rss most with all heights fitted again.

    In `rounds` more each is taken out and chosen again: the first ones were chosen to stand for several.
    """
    peaks = shape(x, choice[:, :1], choice[:, 1:])
    chosen: list[int] = []
    heights, rss = np.zeros(0), np.inf
    for turn in range(count * (1 + rounds)):
        chosen = chosen[1:] if turn >= count else chosen
        before = np.broadcast_to(peaks[chosen], (len(peaks), len(chosen), x.size))
        solved, costs = project(np.concatenate([before, peaks[:, None]], axis=1).swapaxes(1, 2), y)
        costs[chosen] = np.inf
        best = int(np.argmin(costs))
        chosen.append(best)
        heights, rss = solved[best], float(costs[best])
    return rss, choice[chosen], heights


def _all_at_once(x: Vector, y: Vector, shape: Callable[..., Any], count: int) -> list[Found]:
    """All choices of `count` places, for each of some widths."""
    places = np.quantile(x, np.linspace(0.02, 0.98, 20 if count == 2 else 12))
    choices = combinations(places, count)
    found = []
    for width in sizes(0.75 * span(x) / places.size, 0.5 * span(x), 6):
        peaks = np.stack([shape(x, place, width) for place in choices.T[:, :, None]], axis=2)
        solved, costs = project(peaks, y)
        best = int(np.argmin(costs))
        chosen = np.stack([choices[best], np.full(count, width)], axis=1)
        found.append((float(costs[best]), chosen, solved[best]))
    return found


def _symmetric(peak: str) -> Callable[..., Any]:
    """A peak of height 1 by center and half width."""
    if peak == "lorentzian":
        return lambda x, c, w: lorentzian(x, 1.0, c, w)
    return lambda x, c, w: gaussian(x, 1.0, c, w)


def _assembled(peak: str, chosen: Matrix, heights: Vector) -> Values:
    """The parameters of a sum, by center."""
    values: list[float] = []
    for k in np.argsort(chosen[:, 0], kind="stable"):
        h, (c, w) = float(heights[k]), chosen[k].tolist()
        if peak == "voigt":
            values += [2.0 * h * w, c, 0.7 * w, 0.5 * w]
        elif peak == "pseudo_voigt":
            values += [h, c, 1.18 * w, 0.5]
        else:
            values += [h, c, w]
    return values


SIZED: tuple[Sized, ...] = (
    Sized("polynomialN", r"polynomial(\d|1\d|20)", polynomial_row, "c0 + c1*x + ... + cN*x^N",
          "Polynomial of degree N: polynomial2."),
    Sized("rationalMN", r"rational(\d)([1-9])", rational_row, "(a0 + ... + aM*x^M)/(1 + b1*x + ... + bN*x^N)",
          "Ratio of polynomials of degrees M and N: rational21."),
    *[
        Sized(f"{name}N", rf"{name}([2-9]|1\d|20)", partial(sum_row, name),
              f"{name}(x, ...) + ... + {name}(x, ...)",
              f"Sum of N {name} peaks: {name}2.")
        for name in PEAKS
    ],
)  # fmt: skip
