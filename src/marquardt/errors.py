"""What can go wrong, and how a fit can end. Every message names the guilty thing and says what to do."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum


class MarquardtError(Exception):
    """Base of all errors raised on purpose by marquardt."""


class DataError(MarquardtError, ValueError):
    """The data are unusable: the message names the row or column."""


class ParameterError(MarquardtError, ValueError):
    """A start value, bound or fixed value is unusable: the message names the parameter."""


class ModelError(MarquardtError, ValueError):
    """The model cannot be evaluated: the message names the function and line."""


class FormulaError(ModelError):
    """A formula cannot be read: the message shows it with a caret under the guilty place."""


class OptionError(MarquardtError, ValueError):
    """An option has an impossible value."""


class FileError(MarquardtError, ValueError):
    """A file cannot be read: the message names the file, line and column."""


class MissingPackageError(MarquardtError, ImportError):
    """An optional package is needed: the message says which and how to install it."""


class Untraceable(MarquardtError):
    """A model function holds something that cannot become an expression.

    ``str(error)`` is the clause used in a result's ``derivative`` field,
    e.g. "`quad` on line 3 of `f` cannot be traced".
    """

    def __init__(self, construct: str, line: int | None = None, function: str | None = None) -> None:
        self.construct, self.line, self.function = construct, line, function
        place = f" on line {line}" if line is not None else ""
        owner = f" of `{function}`" if function else ""
        super().__init__(f"`{construct}`{place}{owner} cannot be traced")


class Status(Enum):
    """Why a minimization ended: ``value`` is the sentence, ``advice`` says what to do next."""

    CONVERGED = "converged"
    CONVERGED_AT_BOUND = "converged with a parameter at its bound"
    NOT_UNIQUE = "converged, but not to a single point: some change of the parameters has no effect"
    NOT_A_MINIMUM = "not a minimum: the gradient is zero, but the cost falls to both sides"
    STALLED = "stalled: no step lowers the cost, but the minimum is not certified"
    RUNAWAY = "a parameter runs to infinity, with ever smaller gain"
    MAX_EVALUATIONS = "evaluation limit reached"
    INTERRUPTED = "interrupted"
    # What can become of one of many fits, where a single one raises an exception.
    NO_POINTS = "not fitted: none of its points counts"
    TOO_FEW_POINTS = "not fitted: it has fewer points than free parameters"
    CONSTANT = "not fitted: all its values are equal, which cannot determine several parameters"
    BAD_DATA = "not fitted: a value is infinite, or impossible as a count"
    BAD_START = "not fitted: the model is not finite at the start"
    NOT_DONE = "not fitted: the run ended before its turn"
    # Ends of a large problem.
    MAX_ITERATIONS = "iteration limit reached"
    MAX_TIME = "time limit reached"

    @property
    def success(self) -> bool:
        """True when the end point is certified as a minimum, be it one of many (NOT_UNIQUE)."""
        return self in (Status.CONVERGED, Status.CONVERGED_AT_BOUND, Status.NOT_UNIQUE)

    @property
    def advice(self) -> str:
        return _ADVICE[self]


_ADVICE = {
    Status.CONVERGED: "",
    Status.CONVERGED_AT_BOUND: "Check that the bound is meant; the interval of that parameter is one-sided.",
    Status.NOT_UNIQUE: "Fix one of the parameters named, or add data that tell them apart.",
    Status.NOT_A_MINIMUM: "Start again a little away from this point, along the direction named.",
    Status.STALLED: "Try other starting values, or look at the residuals: the model may not be smooth.",
    Status.RUNAWAY: "The best cost lies at infinity: bound or fix the parameter named, or use the simpler "
    "model that is left in the limit.",
    Status.MAX_EVALUATIONS: "Continue from the point reached (start=fit.x or x0=result.x), "
    "or raise max_evaluations.",
    Status.INTERRUPTED: "The best point so far is returned; continue from it "
    "with start=fit.x or x0=result.x.",
    Status.NO_POINTS: "Its data are missing, masked or of weight zero: nothing can be known of it.",
    Status.TOO_FEW_POINTS: "Fix parameters, or leave the fit out.",
    Status.CONSTANT: "Leave it out with mask=, as empty pixels are, or fit a model of one parameter.",
    Status.BAD_DATA: "Mask infinite values; counts are not negative, and successes not more than trials.",
    Status.BAD_START: "Give it another start, or bounds that keep the model finite.",
    Status.NOT_DONE: "Run again; with checkpoint= a run goes on where it ended.",
    Status.MAX_ITERATIONS: "Continue from the point reached (start=result.values), or raise max_iterations.",
    Status.MAX_TIME: "Continue from the point reached (start=result.values), or raise max_time.",
}


def suggestion(name: str, known: Collection[str]) -> str:
    """A clause that names the likely meant one, or all there are.

    >>> suggestion("Vmx", ["Vmax", "Km"])
    "; did you mean 'Vmax'?"
    """
    import difflib

    folded = {k.casefold(): k for k in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    if near:
        return f"; did you mean {folded[near[0]]!r}?"
    return f"; there are: {', '.join(map(str, known)) or 'none'}"
