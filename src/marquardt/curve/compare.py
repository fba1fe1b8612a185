"""``compare``: several methods on one problem, from the same start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import MarquardtError, OptionError
from ..expr.formula import Formula
from ..options import METHODS, Options
from ..solve.least_squares import least_squares
from ..solve.result import Result
from .fit import fit
from .result import FitResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Settings = Mapping[str, Any]
STRATEGY = ("method", "damping", "acceleration", "options")
"""What may differ from method to method."""


@dataclass(frozen=True)
class Run:
    """One method on the problem: its result, or the error it ended with."""

    name: str
    result: Result | None
    error: str = ""


@dataclass(frozen=True)
class Comparison:
    """Several methods from one start; prints as a table."""

    title: str
    runs: tuple[Run, ...]

    @property
    def results(self) -> dict[str, Result]:
        """The results by method; one that raised an error has none."""
        return {run.name: run.result for run in self.runs if run.result is not None}

    @property
    def lowest(self) -> float:
        """The lowest cost that any method reached."""
        return min((r.cost for r in self.results.values()), default=float("nan"))

    def plot(self) -> Figure:
        """The best cost so far against evaluations, one line per method, as a matplotlib figure."""
        from ..report.comparison import plot

        return plot(self)

    def plot_landscape(self, a: str | None = None, b: str | None = None) -> Figure:
        """The ways of all methods over contours of the cost in two parameters, as a matplotlib figure."""
        from ..report.plot_paths import plot_paths

        return plot_paths(self, a, b)

    def to_html(self, path: Any = None, a: str | None = None, b: str | None = None) -> str:
        """Table, chart, and the dance of every method to explore, as one page that works offline.

        The explorers show the free parameters `a` and `b`, by default those most correlated at the best end.
        """
        from ..report.comparison import page

        text = page(self, a, b)
        if path is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return text

    def __str__(self) -> str:
        from ..report.comparison import text

        return text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..report.comparison import fragment

        return fragment(self)


def compare(
    model: Callable[..., Any] | str | Formula,
    x: Any = None,
    y: Any = None,
    *,
    methods: Sequence[str] | Mapping[str, Settings] = METHODS,
    x0: Any = None,
    **settings: Any,
) -> Comparison:
    """Run several methods on one problem from the same start, without projection of linear parameters.

    model, x, y : as in `fit`; or with `x0`, a residual function as in `least_squares`.
    methods : names as in `Options.method`; or by a name of your own what to choose,
        ``{"delayed": {"method": "levenberg", "damping": "delayed"}}``.
    x0 : start of a residual function.
    settings : all else that `fit` (or `least_squares`) takes. A start that is not given is searched once.

    Raises OptionError for an unknown method, or where curve and residual function are mixed up; what a
    method raises on the way is in its `Run`.

    >>> rosenbrock = lambda x: [10 * (x[1] - x[0] ** 2), 1 - x[0]]
    >>> found = compare(rosenbrock, x0=[-1.2, 1], methods=["gauss-newton", "dogleg"])
    >>> found.results["dogleg"].success
    True
    """
    chosen = strategies(methods)
    if x0 is not None and (x is not None or y is not None):
        raise OptionError(
            "x0 is the start of a residual function, without x and y; that of a curve is start="
        )
    if x0 is None and y is None and settings.get("data") is None and not isinstance(model, str | Formula):
        raise OptionError(
            "y is missing: a curve needs x and y, or data=; a residual function its start as x0="
        )
    settings = {**settings, "options": _recording(settings.get("options"))}

    def solve(start: Any, strategy: Settings) -> Result:
        if x0 is not None:
            dense = least_squares(model, x0, **{**settings, **strategy})  # type: ignore[arg-type]
            if not isinstance(dense, Result):
                raise OptionError("with a sparse Jacobian there is one strategy, nothing to compare")
            return dense
        found: Result = fit(model, x, y, **{**settings, **strategy, "start": start})
        return found

    start = settings.pop("start", None)
    if x0 is None:
        start = _found(solve(start, {}), start)
    runs = tuple(_run(name, start, strategy, solve) for name, strategy in chosen.items())
    title = next((run.result.title for run in runs if run.result is not None), str(model))
    return Comparison(title, runs)


def strategies(methods: Sequence[str] | Mapping[str, Settings]) -> dict[str, Settings]:
    """What each run chooses, by its name. Raises OptionError for what cannot be chosen."""
    if isinstance(methods, str):
        methods = (methods,)
    if not isinstance(methods, Mapping):
        methods = {str(name): {"method": name} for name in methods}
    if not methods:
        raise OptionError("methods is empty: name at least one")
    for name, strategy in methods.items():
        for key in strategy:
            if key not in STRATEGY:
                raise OptionError(f"methods[{name!r}] sets {key!r}: only {', '.join(STRATEGY)} may differ")
        method = strategy.get("method", "auto")
        if method not in METHODS:
            raise OptionError(f"method = {method!r}: one of {', '.join(map(repr, METHODS))} is needed")
    return {
        name: {k: _recording(v) if k == "options" else v for k, v in s.items()} for name, s in methods.items()
    }


def _recording(options: Options | None) -> Options:
    """Options that keep the trace: the picture is made from it. All methods step in all parameters."""
    return replace(options or Options(), trace=True, projection=False)


def _found(first: Result, start: Any) -> Any:
    """The start of all runs: what was given, or where the last search for one began its fit."""
    if not isinstance(first, FitResult) or first.multistart is None:
        return start
    values = first.x.copy()
    if len(first.trace):
        values[list(first._parameters.free)] = first.trace.points[0]
    held = set(first.names) - set(first.free_names)
    return {name: value for name, value in first._parameters.nested(values).items() if name not in held}


def _run(name: str, start: Any, strategy: Settings, solve: Callable[[Any, Settings], Result]) -> Run:
    try:
        return Run(name, solve(start, strategy))
    except MarquardtError as error:
        return Run(name, None, str(error))
