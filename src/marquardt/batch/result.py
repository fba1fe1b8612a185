"""Many finished fits as arrays."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..curve.fit import fit
from ..errors import OptionError, Status
from ..expr.formula import Formula
from .chunks import chunk_of
from .engine import CODES, STATUSES, Ends
from .job import Job

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..curve.result import FitResult

Array = NDArray[Any]
NAN_STATUS = (Status.NO_POINTS, Status.TOO_FEW_POINTS, Status.CONSTANT, Status.BAD_DATA, Status.BAD_START)


class ManyFits:
    """Many finished fits: every attribute is an array shaped like the grid of the fits, ``Y.shape[:-1]``.

    Fits that were not made have NaN; ``status`` says why, as a number of `STATUSES`.
    """

    STATUSES = STATUSES
    """What the numbers in `status` mean: ``many.STATUSES[many.status[5]]`` is a `Status`."""

    def __init__(self, job: Job, ends: Ends, model: Any) -> None:
        self._job, self._ends, self._model = job, ends, model
        self.names: tuple[str, ...] = job.parameters.names
        """All parameters."""
        self.title = job.setup.title

    # ------------------------------------------------------------------------------------------- estimates

    @property
    def shape(self) -> tuple[int, ...]:
        """How the fits are arranged."""
        return self._job.places.grid

    def __len__(self) -> int:
        return len(self._job)

    def _grid(self, values: Array) -> Array:
        return values.reshape(*self.shape, *values.shape[1:])

    @cached_property
    def params(self) -> dict[str, Array]:
        """The estimates by name; what was held has its value."""
        p = self._job.parameters
        found = {name: self._grid(self._ends.x[:, k]) for k, name in enumerate(p.free_names)}
        held = [i for i in range(len(p.names)) if i not in p.free]
        for place, i in enumerate(held):
            own = None if self._job.fixed is None else self._job.fixed[:, place]
            values = np.full(len(self), p.values[i]) if own is None else own
            found[p.names[i]] = self._grid(values)
        return {name: found[name] for name in p.names}

    @cached_property
    def stderr(self) -> dict[str, Array]:
        """Their standard errors: scaled by `reduced_chi2` where sigma is not known, as in `fit`; 0 for what
        was held, infinite for what the data do not determine, NaN at a bound."""
        with np.errstate(invalid="ignore"):
            free = np.sqrt(self._ends.unscaled_variance * self._factor[:, None])
        p = self._job.parameters
        found = {name: self._grid(free[:, k]) for k, name in enumerate(p.free_names)}
        zero = np.zeros(self.shape)
        return {name: found.get(name, zero) for name in p.names}

    @property
    def covariance(self) -> Array:
        """Covariance matrices of the free parameters, shaped like the grid with two more dimensions.

        Raises OptionError where they were not asked for.
        """
        if self._ends.covariance is None:
            raise OptionError("the covariance matrices were not kept: fit_many(..., covariance=True)")
        return self._grid(self._ends.covariance * self._factor[:, None, None])

    @property
    def _factor(self) -> Array:
        job = self._job
        if job.known_sigma or job.loss is not None or job.family is not None:
            return np.ones(len(self))
        return self._reduced

    @cached_property
    def _reduced(self) -> Array:
        dof = self._ends.n_points - self._ends.rank.astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(dof > 0, self._ends.rss / dof, np.nan)

    # ----------------------------------------------------------------------------------------- how they ended

    @property
    def status(self) -> Array:
        """How each fit ended, a number of `STATUSES`."""
        return self._grid(self._ends.status)

    @property
    def success(self) -> Array:
        """Is it certified as a minimum?"""
        return np.asarray(np.array([s.success for s in STATUSES])[self.status])

    @property
    def interrupted(self) -> bool:
        """Did Ctrl-C, or the progress function, end the run before all were done?"""
        return bool(np.isin(self.status, [CODES[Status.INTERRUPTED], CODES[Status.NOT_DONE]]).any())

    def where(self, status: Status | str) -> Array:
        """The fits that ended so, as indices of the grid, (n, dimensions).

        >>> from marquardt import fit_many
        >>> t = np.arange(5.0)
        >>> fit_many("a*t + b", {"t": t}, [2 * t + 1, t * np.nan]).where("NO_POINTS")
        array([[1]])
        """
        code = CODES[Status[status] if isinstance(status, str) else status]
        return np.argwhere(self.status == code)

    @property
    def cost(self) -> Array:
        """Half the sum of squared weighted residuals, or of their loss, or half the deviance."""
        return self._grid(self._ends.cost)

    @property
    def reduced_chi2(self) -> Array:
        """The sum of squared weighted residuals by degree of freedom; of counts Pearson's chi-square."""
        return self._grid(self._reduced)

    @property
    def n_points(self) -> Array:
        """Points that counted."""
        return self._grid(self._ends.n_points)

    @property
    def nfev(self) -> Array:
        """Evaluations of the model."""
        return self._grid(self._ends.nfev)

    # ------------------------------------------------------------------------------------- as other things

    def refit(self, index: Any) -> FitResult:
        """The full `FitResult` of one fit, made again from where it ended; `index` is a place on the grid."""
        job = self._job
        k = job.places.number(index)
        chunk = chunk_of(job, np.array([k]))
        keep = slice(None) if chunk.mask is None else chunk.mask[0]
        x = [np.ascontiguousarray((part if part.ndim == 1 else part[0])[keep]) for part in chunk.x]
        w = chunk.weights
        w = None if w is None else (w if w.ndim == 1 else w[0])[keep]
        p = job.parameters
        start = {name: float(self.params[name].reshape(-1)[k]) for name in p.free_names}
        fixed = {name: float(self.params[name].reshape(-1)[k]) for name in p.names if name not in start}
        known = all(np.isfinite(v) for v in start.values())
        bounds = {
            name: (float(p.lower[i]), float(p.upper[i])) for name, i in zip(p.free_names, p.free, strict=True)
        }
        bounds = {name: pair for name, pair in bounds.items() if np.isfinite(pair).any()}
        formula = isinstance(job.setup.function, Formula)
        y = chunk.y[0][keep].astype(np.float64)
        weighting: dict[str, Any] = {}
        if job.family == "binomial" and w is not None:
            weighting = {"trials": w, "family": job.family}
            y = y * w
        elif job.family is not None:
            weighting = {"weights": w, "family": job.family}
        elif w is not None:
            weighting = {"sigma": 1.0 / w} if job.known_sigma else {"weights": w**2}
        if job.loss is not None:
            weighting |= {"loss": job.loss_given, "f_scale": job.loss.f_scale}
        model: Any = job.setup.function if formula else self._model
        where: Any = (
            dict(zip(job.setup.data.names, x, strict=True)) if formula else x[0] if len(x) == 1 else tuple(x)
        )
        return fit(  # type: ignore[no-any-return]
            model,
            where,
            y,
            start=start if known else None,
            fixed=fixed or None,
            bounds=bounds or None,
            **weighting,
        )

    def summary(self, worst: int = 10) -> str:
        """How many fits ended how, the estimates over all of them, and the worst with their index."""
        from ..report.many import many_text

        return many_text(self, worst)

    def __repr__(self) -> str:
        return self.summary(worst=0)

    def to_pandas(self) -> Any:
        """One row for each fit: its place, estimates, standard errors, status, points, reduced chi-square."""
        from ..report.many import many_frame

        return many_frame(self)

    def to_xarray(self, dims: Any = None, coords: Any = None) -> Any:
        """A data set with a variable for each parameter, its standard errors, and how each fit ended.

        dims, coords : names of the dimensions of the fits, and values along them.
        """
        from ..report.many import many_dataset

        return many_dataset(self, dims, coords)

    def plot_map(self, names: Any = None) -> Figure:
        """A picture of each parameter over the grid of the fits; of fits in a row a line, or a histogram."""
        from ..report.many_plot import plot_map

        return plot_map(self, names)
