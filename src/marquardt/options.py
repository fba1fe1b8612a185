"""What the user may choose about a minimization; every field states its formula."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from .errors import OptionError

Method = Literal[
    "auto", "gauss-newton", "gradient-descent", "levenberg", "marquardt", "more", "dogleg", "newton"
]
Damping = Literal["nielsen", "classic", "delayed"]
Scaling = Literal["auto", "magnitude", "mix", "running-max", "columns", "identity"]

METHODS: tuple[str, ...] = get_args(Method)
WITH_DAMPING = ("levenberg", "marquardt")
"""Methods that solve with a damping of their own, by a rule that may be chosen."""
WITH_RADIUS = ("auto", "more", "dogleg", "newton")
"""Methods that step in a trust region."""
WITHOUT_ACCELERATION = ("gradient-descent", "dogleg", "newton")
"""Methods whose step is not the solution of a damped linear system of J'J: it cannot be bent."""


@dataclass(frozen=True)
class Options:
    """Options of the minimizer; each field states its formula, docs/methods.md the sources.

    method, damping, acceleration : how steps are made; `fit` and `least_squares` take them as arguments too.
    tolerance : converged where the relative offset ``|Q1'f| / |Q2'f|`` is at most this.
    max_evaluations : most Jacobian evaluations.
    polish : refine the end point by undamped steps, judged by the gradient.
    newton : let "auto" use exact second derivatives where they predict better.
    scaling, radius_factor : the norm in which steps are measured, and the first radius in it.
    retry : let "auto" begin again, more carefully, where its search failed.
    threads : that evaluate the data; any number gives the same bits.
    trace : keep one row per trial step.
    sample : rows that long data are fitted on first.

    Raises OptionError for an impossible value.

    >>> Options(tolerance=1e-6).tolerance
    1e-06
    """

    method: Method = "auto"
    """How steps are made. "gauss-newton": ``J'J p = -J'f``, taken even uphill; "gradient-descent":
    Cauchy's step, halved until the cost falls; "levenberg": ``(J'J + damping I) p = -J'f``; "marquardt":
    ``(J'J + damping diag J'J) p = -J'f``; "more": the trust region ``|D p| <= radius`` with MINPACK's
    constants; "dogleg": Powell's path in such a region; "newton": the region with the full Hessian;
    "auto": the region with whichever model predicts better, and geodesic acceleration."""

    damping: Damping | None = None
    """How the damping of "levenberg" and "marquardt" follows the gain ratio. "nielsen" (the default):
    ``* max(1/3, 1 - (2 gain - 1)^3)``, refused ``* 2, 4, 8, ...``; "classic": ``/ 10``, ``* 10``;
    "delayed": ``/ 5``, ``* 2``."""

    tolerance: float = 1e-8
    """Converged where the relative offset ``|Q1'f| / |Q2'f|`` is at most this, ``J = [Q1 Q2] R``."""

    max_evaluations: int | None = None
    """Most Jacobian evaluations; None: ``100 (n + 1)``. Residual evaluations: four times as many."""

    polish: bool = True
    """Refine the end point by up to 6 undamped steps, each accepted when ``|Q1'f|`` falls.
    From 100,000 residuals on only until the end is certified: a step is a pass over all data."""

    acceleration: bool | None = None
    """Step ``v + a/2`` with the geodesic acceleration ``a``, unless ``|Da| > 0.75 |Dv|``.
    None: "auto" does."""

    newton: bool = True
    """Let "auto" model the cost by ``J'J + sum f_i H_i`` where that predicts better, up to 32 parameters."""

    scaling: Scaling = "auto"
    """D of the region ``|D p| <= radius`` or of ``damping D^2``. "magnitude": ``d_j = 1 / max|x_j|``;
    "mix": ``d_j = sqrt(max|J_j|^2 + (0.1 |f0| / max|x_j|)^2)``; "running-max": ``d_j = max|J_j|``;
    "columns": ``d_j = |J_j|``; "identity": ``d_j = 1``. "auto": the method's own, for "auto" and "newton"
    magnitude with exact second derivatives, else mix."""

    radius_factor: float | None = None
    """First radius ``= radius_factor |D x0|``. None: 1, for "more" 100."""

    projection: bool = True
    """Let "auto" project parameters out that enter the model of `fit` linearly (variable projection)."""

    retry: bool = True
    """Where the search of "auto" stalls, runs away or ends where fewer parameters have an effect than at the
    start, begin again from there with ``radius_factor`` 0.003, then with scaling "mix" and 0.001, as far as
    ``max_evaluations`` allows; the lowest end is kept. Only with exact derivatives."""

    threads: int | None = None
    """Threads that evaluate blocks of data points; None: all cores. Any number gives the same bits."""

    trace: bool = True
    """Keep one row per trial step."""

    sample: int | None = 8192
    """From 200,000 rows on, and with data in blocks, `fit` starts where a fit of about so many rows, spread
    over all of them, ended; the verdict is that of all rows. None: it starts at the start on all rows."""

    def __post_init__(self) -> None:
        _validate(self)

    def native(self, *, second_derivatives: bool) -> dict[str, Any]:
        """What the core takes: "auto" is settled, and ``threads`` left out (the evaluator has it)."""
        chosen = asdict(self)
        del chosen["threads"], chosen["projection"], chosen["sample"]
        chosen["damping"] = self.damping or "nielsen"
        chosen["retry"] = self.retry and self.method == "auto" and second_derivatives
        if self.scaling == "auto":
            by_magnitude = self.method in ("auto", "newton")
            chosen["scaling"] = "mix" if by_magnitude and not second_derivatives else None
        return chosen


def _validate(o: Options) -> None:
    for name in ("tolerance", "radius_factor"):
        value = getattr(o, name)
        if value is None and name == "radius_factor":
            continue
        if not _is_number(value) or not 0 < value < float("inf"):
            raise OptionError(f"{name} = {value!r}: a positive finite number is needed")
    for name in ("max_evaluations", "threads", "sample"):
        value = getattr(o, name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise OptionError(f"{name} = {value!r}: a positive integer or None is needed")
    for name in ("polish", "acceleration", "newton", "projection", "retry", "trace"):
        value = getattr(o, name)
        if not isinstance(value, bool) and not (name == "acceleration" and value is None):
            raise OptionError(f"{name} = {value!r}: True or False is needed")
    if o.method in ("lm", "trf", "dogbox"):
        raise OptionError(
            f"method = {o.method!r} is one of SciPy's; here there are {', '.join(map(repr, METHODS))} "
            "('more' is the nearest to 'lm'; all of them take bounds)"
        )
    _one_of("method", o.method, METHODS)
    _one_of("scaling", o.scaling, get_args(Scaling))
    if o.damping is not None:
        _one_of("damping", o.damping, get_args(Damping))
        if o.method not in WITH_DAMPING:
            raise OptionError(
                f"damping = {o.damping!r}: method {o.method!r} has no damping rule to choose; "
                f"{' and '.join(map(repr, WITH_DAMPING))} have"
            )
    if o.radius_factor is not None and o.method not in WITH_RADIUS:
        raise OptionError(
            f"radius_factor = {o.radius_factor!r}: method {o.method!r} has no radius; "
            f"{', '.join(map(repr, WITH_RADIUS))} have"
        )
    if o.acceleration and o.method in WITHOUT_ACCELERATION:
        raise OptionError(f"acceleration = True: the step of method {o.method!r} cannot be accelerated")


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise OptionError(f"{name} = {value!r}: one of {', '.join(map(repr, known))} is needed")


def chosen_options(
    options: Options | None, method: str, damping: str | None, acceleration: bool | None
) -> Options | None:
    """The options with the strategy named beside them; None where nothing is chosen.

    Raises OptionError for an unknown or impossible strategy, or one that contradicts the options.
    """
    if method == "auto" and damping is None and acceleration is None:
        return options
    options = options or Options()
    wanted: dict[str, Any] = {"method": method, "damping": damping, "acceleration": acceleration}
    wanted = {name: value for name, value in wanted.items() if value is not None and value != "auto"}
    plain = Options()
    for name, value in wanted.items():
        given = getattr(options, name)
        if given != getattr(plain, name) and given != value:
            raise OptionError(f"{name} = {value!r} contradicts options.{name} = {given!r}")
    return replace(options, **wanted)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
