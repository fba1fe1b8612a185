"""Weights that follow from the prediction: fits are repeated until their weights are those of their curve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Status
from ..options import Options
from .columns import Array
from .data import Data
from .result import FitResult, Reweighting
from .setup import Setup
from .weights import OfPrediction

Vector = NDArray[np.float64]
Run = Callable[..., FitResult]

ROUNDS = 50
SETTLED = 1e-6
"""The weights have settled when a round changes none by more than this part."""
CALM = 0.8
"""After a change that is not below this part of the one before, the weights go half way: they may swing."""
WINDOW = 5
"""Points whose median stands for the prediction before there is one."""


def reweighted(run: Run) -> Run:
    """`run` repeated, for data whose ``of_prediction`` tells sigma or weights.

    Iteratively reweighted least squares (Carroll, Ruppert 1988, section 2.3): the first fit has the weights
    of the data, each other one those of the prediction of the one before, where it starts, until they settle.
    In each they are constants: what the size of the scatter tells of the parameters is not used.
    """

    def rounds(setup: Setup, options: Options | None, watch: Any) -> FitResult:
        formula = setup.data.of_prediction
        assert formula is not None
        return _Rounds(run, setup, formula, watch).finish(options)

    return rounds


@dataclass
class _Rounds:
    """Fits of one setup with different weights; counts what they take."""

    run: Run
    setup: Setup
    formula: OfPrediction
    watch: Any
    nfev: int = 0
    njev: int = 0
    count: int = 0

    def fit(self, weights: Vector, options: Options | None, begin: Vector | None = None) -> FitResult:
        data = _weighted(self.setup.data, self.formula, weights)
        found = self.run(replace(self.setup, data=data), options, self.watch, begin)
        self.count += 1
        return found

    def done(self, fit: FitResult) -> None:
        """Count the evaluations of a fit that is not the last, but for those of its search."""
        searched = (0, 0) if fit._search is None else (fit._search.nfev, fit._search.njev)
        self.nfev, self.njev = self.nfev + fit.nfev - searched[0], self.njev + fit.njev - searched[1]

    def finish(self, options: Options | None) -> FitResult:
        """Rounds until the weights settle. Raises DataError for a row where the prediction gives none."""
        data, formula = self.setup.data, self.formula
        mu = _smooth(data)
        weights, bad = formula.usable(formula.at(mu), _seen(data))
        if bad.all():
            formula.refuse(formula.at(mu), mu, data.row, "observed")
        first = last = self.fit(weights, options)
        rounds_options, change, settled = _by_default(options), np.inf, False
        while not settled and self.count < ROUNDS and last.status is not Status.INTERRUPTED:
            mu = last.predict()
            new, bad = formula.usable(formula.at(mu), _seen(data))
            moved = float(np.abs(np.log(new / weights)).max(initial=0.0))
            settled = moved <= SETTLED
            if not settled:
                weights = np.sqrt(new * weights) if moved >= CALM * change else new
                self.done(last)
                last, change = self.fit(weights, rounds_options, last.x), moved
        if bad.any():
            formula.refuse(formula.at(mu), mu, data.row, "predicted")
        if settled and rounds_options is not options and first.multistart is None and self.count > 1:
            self.done(last)  # another method than "auto" goes its way from the start, with the weights found
            last = self.fit(weights, options)
        last._outcome.add(self.nfev, self.njev)
        last._search = first._search
        last.reweighting = Reweighting(formula.name, formula.text, self.count, settled, change)
        return last


def _by_default(options: Options | None) -> Options | None:
    """The same with the default method: others do not certify an end near their start."""
    if options is None or options.method == "auto":
        return options
    return replace(options, method="auto", damping=None, acceleration=None)


def _seen(data: Data) -> NDArray[np.bool_]:
    return np.ones(data.y.size, dtype=bool) if data.w is None else data.w > 0.0


def _weighted(data: Data, formula: OfPrediction, values: Vector) -> Data:
    """The data with sigma, or weights, at these values; what is missing keeps weight zero."""
    w = np.where(_seen(data), 1.0 / values if formula.name == "sigma" else np.sqrt(values), 0.0)
    return replace(data, w=w, sigma=values if formula.name == "sigma" else None)


def _smooth(data: Data) -> Array:
    """The response, in size where it is complex, by running medians along a single independent variable."""
    y: Array = np.abs(data.y) if data.y.dtype.kind == "c" else data.y
    x = data.arguments[0] if len(data.arguments) == 1 else None
    if not isinstance(x, np.ndarray) or x.shape != y.shape or y.ndim != 1 or y.size < WINDOW:
        return y
    order = np.argsort(x, kind="stable")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(y[order], WINDOW), axis=1)
    half = WINDOW // 2
    out: Array = y.copy()
    out[order[half : y.size - half]] = middle
    return out
