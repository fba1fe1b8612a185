"""Many finished fits as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, OptionError, ParameterError, Status, suggestion
from .engine import CODES, STATUSES, Ends, reduced_chi2
from .job import Job
from .places import Places

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..curve.result import FitResult

Array = NDArray[Any]


@dataclass(slots=True)
class Results:
    """All that is known of k fits with p free parameters, one row each."""

    x: Array
    """(k, P): all parameters."""
    stderr: Array
    """(k, p)."""
    covariance: Array | None
    cost: Array
    rss: Array
    n_points: Array
    rank: Array
    status: Array
    nfev: Array
    njev: Array
    by_qr: Array


class ManyFits:
    """Many finished fits: every attribute is an array shaped like the grid of the fits, ``Y.shape[:-1]``.

    ``many["a"]`` are the estimates of a parameter, ``many.stderr["a"]`` their standard errors. Fits that were
    not made have NaN; ``status`` says why, as a number of `STATUSES`.
    """

    STATUSES = STATUSES
    """What the numbers in `status` mean: ``many.STATUSES[many.status[5]]`` is a `Status`."""

    def __init__(
        self,
        title: str,
        names: tuple[str, ...],
        free_names: tuple[str, ...],
        places: Places,
        rows: Results,
        seconds: float = 0.0,
        job: Job | None = None,
    ) -> None:
        self.title, self.names, self.free_names = title, names, free_names
        self._places, self._rows, self._job = places, rows, job
        self.seconds = seconds
        """The time it took."""
        self.remark: str | None = None
        """What structure of the model and its data the fits made use of, in words."""

    @classmethod
    def of(cls, job: Job, ends: Ends, seconds: float, remark: str | None = None) -> ManyFits:
        """The results of a run; the arrays of its ends are used, not copied."""
        p = job.parameters
        x = ends.x
        if len(p.free) < len(p.names):
            held = [i for i in range(len(p.names)) if i not in p.free]
            x = np.empty((len(job), len(p.names)))
            x[:, list(p.free)] = ends.x
            x[:, held] = p.values[held] if job.fixed is None else job.fixed
        rows = Results(
            x, ends.stderr, ends.covariance, ends.cost, ends.rss, ends.n_points, ends.rank, ends.status,
            ends.nfev, ends.njev, ends.by_qr,
        )  # fmt: skip
        made = cls(job.setup.title, p.names, p.free_names, job.places, rows, seconds, job)
        made.remark = remark
        return made

    # ------------------------------------------------------------------------------------------- estimates

    @property
    def shape(self) -> tuple[int, ...]:
        """How the fits are arranged."""
        return self._places.grid

    @property
    def n_fits(self) -> int:
        """How many fits there are."""
        return len(self._rows.x)

    def __len__(self) -> int:
        return self.n_fits

    def _grid(self, values: Array) -> Array:
        return values.reshape(*self.shape, *values.shape[1:])

    def __getitem__(self, name: str) -> Array:
        """The estimates of one parameter. Raises ParameterError for an unknown name."""
        if name not in self.names:
            raise ParameterError(f"there is no parameter {name!r}{suggestion(str(name), self.names)}")
        return self._grid(self._rows.x[:, self.names.index(name)])

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    @property
    def x(self) -> Array:
        """All parameters of all fits, with one dimension more than the grid, in the order of `names`."""
        return self._grid(self._rows.x)

    @cached_property
    def params(self) -> dict[str, Array]:
        """The estimates by name; what was held has its value."""
        return {name: self[name] for name in self.names}

    @cached_property
    def stderr(self) -> dict[str, Array]:
        """Their standard errors: scaled by `reduced_chi2` where sigma is not known, as in `fit`; 0 for what
        was held, infinite for what the data do not determine, NaN at a bound."""
        free = {name: self._grid(self._rows.stderr[:, k]) for k, name in enumerate(self.free_names)}
        zero = np.broadcast_to(0.0, self.shape)
        return {name: free.get(name, zero) for name in self.names}

    @property
    def covariance(self) -> Array:
        """Covariance matrices of the free parameters, shaped like the grid with two more dimensions.

        Raises OptionError where they were not asked for.
        """
        if self._rows.covariance is None:
            raise OptionError("the covariance matrices were not kept: fit_many(..., covariance=True)")
        return self._grid(self._rows.covariance)

    @property
    def correlation(self) -> Array:
        """Correlation matrices of the free parameters, shaped as `covariance`."""
        covariance = self.covariance
        with np.errstate(invalid="ignore", divide="ignore"):
            s = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
            return np.asarray(covariance / s[..., :, None] / s[..., None, :])

    # ----------------------------------------------------------------------------------------- how they ended

    @property
    def status(self) -> Array:
        """How each fit ended, a number of `STATUSES`."""
        return self._grid(self._rows.status)

    @property
    def success(self) -> Array:
        """Is it certified as a minimum?"""
        return np.asarray(np.array([s.success for s in STATUSES])[self.status])

    @property
    def counts(self) -> dict[Status, int]:
        """How many fits ended how, the most frequent first."""
        found = np.bincount(self._rows.status, minlength=len(STATUSES)).tolist()
        order = sorted((code for code, n in enumerate(found) if n), key=lambda code: -found[code])
        return {STATUSES[code]: found[code] for code in order}

    @property
    def interrupted(self) -> bool:
        """Did Ctrl-C, or the progress function, end the run before all were done?"""
        return Status.INTERRUPTED in self.counts or Status.NOT_DONE in self.counts

    def where(self, status: Status | str) -> Array:
        """The fits that ended so, as indices of the grid, (n, dimensions).

        >>> from marquardt import fit_many
        >>> t = np.arange(5.0)
        >>> fit_many("a*t + b", {"t": t}, [2 * t + 1, t * np.nan]).where("NO_POINTS")
        array([[1]])
        """
        if isinstance(status, str) and status not in Status.__members__:
            raise OptionError(f"there is no status {status!r}{suggestion(status, list(Status.__members__))}")
        code = CODES[Status[status] if isinstance(status, str) else status]
        return np.argwhere(self.status == code)

    @property
    def cost(self) -> Array:
        """Half the sum of squared weighted residuals, or of their loss, or half the deviance."""
        return self._grid(self._rows.cost)

    @property
    def rss(self) -> Array:
        """The sum of squared weighted residuals; of counts Pearson's chi-square."""
        return self._grid(self._rows.rss)

    @property
    def reduced_chi2(self) -> Array:
        """`rss` by degree of freedom."""
        rows = self._rows
        return self._grid(reduced_chi2(rows.rss, rows.n_points, rows.rank))

    @property
    def n_points(self) -> Array:
        """Points that counted."""
        return self._grid(self._rows.n_points)

    @property
    def dof(self) -> Array:
        """Degrees of freedom: points minus determined parameters."""
        return self._grid(self._rows.n_points - self._rows.rank)

    @property
    def nfev(self) -> Array:
        """Evaluations of the model."""
        return self._grid(self._rows.nfev)

    @property
    def njev(self) -> Array:
        """Evaluations of its derivatives."""
        return self._grid(self._rows.njev)

    @property
    def by_qr(self) -> Array:
        """Was it made, or made again, by the minimizer of single fits?"""
        return self._grid(self._rows.by_qr)

    # ------------------------------------------------------------------------------------- one fit, or all

    def refit(self, index: Any) -> FitResult:
        """The full `FitResult` of one fit, from the start it had, or where that was found, from its end.

        index : a place on the grid, a number or a tuple. Raises DataError where the fit has no
        points, or these fits were read from a file, without their data.
        """
        from .refit import refit

        if self._job is None:
            raise DataError(
                "these fits were read from a file, without their data: refit() has nothing to fit"
            )
        k = self._places.number(index)
        return refit(self._job, k, self._rows.x[k])

    def summary(self, worst: int = 10) -> str:
        """How many fits ended how, the estimates over all of them, and the worst with their index."""
        from ..report.many import many_text

        return many_text(self, worst)

    def __repr__(self) -> str:
        return self.summary(worst=0)

    def _repr_html_(self) -> str:
        from ..report.many import many_html

        return many_html(self)

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
        """A picture of each parameter over the grid of the fits, failed ones marked; of fits in a row a line,
        or a histogram."""
        from ..report.many_plot import plot_map

        return plot_map(self, names)

    def save(self, path: Any) -> None:
        """Write all results to an ``.npz`` file, whole or not at all; `load` reads it."""
        from .files import save

        save(self, path)

    @classmethod
    def load(cls, path: Any) -> ManyFits:
        """Results that `save` has written, without the data. Raises FileError where it is another file."""
        from .files import load

        return load(path)
