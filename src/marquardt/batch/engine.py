"""The seam to the core: chunks of fits in, their ends out, NumPy arrays on both sides.

The driver in `many.py` makes one `Engine` for a call of `fit_many` and gives it chunk after chunk; between
chunks it shows progress and writes checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..curve.parameters import Parameters
from ..errors import Status
from ..options import Options
from ..solve.robust import Plan
from .each import run_each
from .grid import Separable
from .lanes import Quick, for_lanes, grid_form, quick_form, run_lanes
from .single import run_one_by_one
from .traced import TracedBatch, traced_batch

Array = NDArray[Any]
Vector = NDArray[np.float64]

STATUSES: tuple[Status, ...] = tuple(Status)
"""What the codes in `Ends.status` mean: ``STATUSES[code]``."""
CODES: dict[Status, int] = {status: code for code, status in enumerate(STATUSES)}


@dataclass(frozen=True, slots=True)
class Chunk:
    """k fits of m points each."""

    x: tuple[Array, ...]
    """Independent variables, each (m,), shared by all fits, or (k, m); float64."""
    y: Array
    """(k, m), float64 or float32; with a binomial family proportions. Finite where the mask is True."""
    weights: Array | None
    """Square roots of the weights, 1/sigma where that is known, (m,) or (k, m); with a family how often each
    point counts (its trials, times its weight)."""
    mask: Array | None
    """(k, m), True where a point counts; None: all do."""
    start: Array
    """Free parameters, (p,) for all fits or (k, p)."""
    lower: Array
    upper: Array
    """Their bounds, (p,) or (k, p)."""
    fixed: Array | None = None
    """Values of the parameters that are held, (k, h) in the order of the model, where they differ between
    fits; None: ``parameters.values`` has them."""

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, slots=True)
class Ends:
    """Where k fits of p free parameters ended."""

    x: Array
    """(k, p)."""
    cost: Array
    """(k,): half the sum of squares, or of their loss, or half the deviance."""
    status: Array
    """(k,) int8, indices into `STATUSES`. BAD_START: the model is not finite at the start. INTERRUPTED and
    NOT_DONE: Ctrl-C came; the driver then ends the run."""
    nfev: Array
    njev: Array
    """(k,) int32."""
    covariance: Array | None
    """(k, p, p), where asked for: ``(J'J)^-1``, weights in J, times `rss` by degree of freedom where the
    engine is `scaled`; with a loss the sandwich. Infinite variances where the data do not determine a
    parameter, NaN where it is held at a bound."""
    stderr: Array
    """(k, p): standard errors, the square roots of its diagonal."""
    rss: Array
    """(k,): sum of squared weighted residuals, ``2 * cost`` but for losses; with a family Pearson's
    chi-square."""
    n_points: Array
    """(k,) int32: points that counted."""
    rank: Array
    """(k,) int16: parameters that the data determine, those at a bound included; ``n_points - rank`` are the
    degrees of freedom."""
    by_qr: Array
    """(k,) bool: done by the core's own minimizer, on the dense QR path."""

    def put(self, found: Ends, at: Array | slice) -> None:
        """Write the ends of some fits to their places."""
        for f in fields(Ends):
            to, of = getattr(self, f.name), getattr(found, f.name)
            if to is not None:
                to[at] = of

    def some(self, at: Array | slice) -> Ends:
        """Those of some fits; of a slice the arrays are parts of these."""
        parts: list[Any] = [getattr(self, f.name) for f in fields(Ends)]
        picked: list[Any] = [part if part is None else part[at] for part in parts]
        return Ends(*picked)


def room(k: int, p: int, covariance: bool) -> Ends:
    """Room for the ends of k fits: arrays that hold nothing yet, of fits not by QR."""
    return Ends(
        x=np.empty((k, p)),
        cost=np.empty(k),
        status=np.empty(k, dtype=np.int8),
        nfev=np.empty(k, dtype=np.int32),
        njev=np.empty(k, dtype=np.int32),
        covariance=np.empty((k, p, p)) if covariance else None,
        stderr=np.empty((k, p)),
        rss=np.empty(k),
        n_points=np.empty(k, dtype=np.int32),
        rank=np.empty(k, dtype=np.int16),
        by_qr=np.zeros(k, dtype=bool),
    )


def blank(k: int, p: int, covariance: bool, status: Status = Status.NOT_DONE) -> Ends:
    """Ends of k fits that were not made: NaN everywhere."""
    ends = room(k, p, covariance)
    for f in fields(Ends):
        values = getattr(ends, f.name)
        if values is not None:
            values[...] = np.nan if values.dtype == np.float64 else 0
    ends.status[...] = CODES[status]
    return ends


def reduced_chi2(rss: Any, n_points: Any, rank: Any) -> Array:
    """Sums of squares by degree of freedom, NaN where there is none."""
    dof = np.asarray(n_points, dtype=np.float64) - rank
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(dof > 0, rss / dof, np.nan)


class Engine:
    """Fits chunks of one model. Made once for a call of `fit_many`: the model is traced once.

    model : function, `Formula` or `Tied`, as a `Setup` of `curve` holds it, called as
        ``model(*arguments, **parameters)``.
    parameters : names, shapes, which are free, and the values of those that are held.
    arguments : those of one fit, in the shape the model is called with (a chunk has them flat).
    loss : loss and scale; None: squares. family : "poisson" or "binomial" instead.
    scaled : are errors to be scaled by the reduced chi-square, as sigma is not known?
    precision : "double" or "single". threads : None: all cores. covariance : are whole ones wanted?
    """

    def __init__(
        self,
        model: Any,
        parameters: Parameters,
        arguments: Sequence[Array],
        *,
        loss: Plan | None = None,
        family: str | None = None,
        scaled: bool = False,
        precision: str = "double",
        threads: int | None = None,
        covariance: bool = False,
        options: Options | None = None,
    ) -> None:
        self.model, self.parameters = model, parameters
        # What another process sent may lie anywhere in memory.
        self.arguments = tuple(np.require(a, requirements="A") for a in arguments)
        self.loss, self.family, self.scaled, self.precision = loss, family, scaled, precision
        self.threads, self.covariance, self.options = threads, covariance, options

    @property
    def n_free(self) -> int:
        return len(self.parameters.free)

    @cached_property
    def traced(self) -> TracedBatch | None:
        """The model as the core runs it alone; None where fits are made one by one from here."""
        return traced_batch(self)

    @cached_property
    def _quick(self) -> Quick | None:
        return None if self.traced is None else quick_form(self.traced, self.parameters, self.arguments)

    @cached_property
    def grid(self) -> Separable | None:
        """The model as products on the grid of the data; None where that is not found or does not pay."""
        if self.traced is None or self.family is not None or not self.in_lanes:
            return None
        return grid_form(self.traced, self.parameters, self.arguments)

    @property
    def in_lanes(self) -> bool:
        """Are fits made in lanes, a hundred thousand a second and more?"""
        return self.traced is not None and for_lanes(self)

    @property
    def remark(self) -> str | None:
        """What structure of the model and its data the fits make use of, in words."""
        return None if self.grid is None else str(self.grid)

    def run(self, chunk: Chunk, into: Ends | None = None) -> Ends:
        """The ends of all fits of a chunk, in the arrays of `into` or new ones. The same bits for any number
        of threads and any chunking."""
        ends = self.run_in_lanes(chunk, into)
        if ends is None:
            return self._on_qr_path(chunk, np.arange(len(chunk)))
        doubtful = np.flatnonzero(ends.status == CODES[Status.NOT_DONE])
        if doubtful.size:
            ends.put(self._on_qr_path(chunk, doubtful), doubtful)
        return ends

    def run_in_lanes(self, chunk: Chunk, into: Ends | None = None) -> Ends | None:
        """Ends of the fits that lanes certify, the others NOT_DONE; None where these are not for lanes."""
        if self.traced is None:
            return None
        ends = room(len(chunk), self.n_free, self.covariance) if into is None else into
        return run_lanes(self, self.traced, self._quick, self.grid, chunk, ends)

    def _on_qr_path(self, chunk: Chunk, which: Array) -> Ends:
        ends = None if self.traced is None else run_each(self, self.traced, chunk, which)
        return run_one_by_one(self, chunk, which) if ends is None else ends
