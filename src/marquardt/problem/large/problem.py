"""`Problem`: a large problem, declared family by family."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...errors import ParameterError
from . import residuals as residuals_
from . import variables as variables_
from .compiled import Compiled, Items, Outline, Structure
from .families import compile_family
from .manifolds import Manifold
from .motions import motion_of
from .priors import prior_residuals
from .residuals import Residuals
from .variables import VariableFamily

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .summary import Summary


class Problem:
    """Families of variables and of residuals: ``1/2 Σ c² ρ(|r_i|² / c²)`` is to be minimized by `solve`.

    >>> import numpy as np
    >>> import marquardt as mq
    >>> problem = mq.Problem()
    >>> place = problem.variables("place", np.zeros((3, 2)), fixed=[0])
    >>> moved = [[1.0, 0.0], [0.0, 2.0]]
    >>> step = problem.residuals(lambda a, b, d: b - a - d, place[[0, 1]], place[[1, 2]], moved)
    >>> [f.rows for f in problem.compile().families]
    [2]
    """

    def __init__(self) -> None:
        self._variables: dict[str, VariableFamily] = {}
        self._residuals: dict[str, Residuals] = {}
        self._compiled: Compiled | None = None

    def variables(
        self,
        name: str,
        values: Any,
        manifold: Manifold | str | None = None,
        fixed: Any = None,
        bounds: Any = None,
        prior: Any = None,
    ) -> VariableFamily:
        """Declare variables, (n, components) start values, or (components,) for a single one.

        manifold : where they live, such as ``"SE3"`` or ``mq.manifolds.Sphere(3)``; None: free numbers.
        fixed : True, a mask (n,), a mask (n, tangent) of components of steps, or indices.
        bounds : ``(lower, upper)`` for free numbers; each a number, (components,) or (n, components).
        prior : ``(mean, sigma)``: residuals ``local(mean, x) / sigma``; sigma a number, (n,), (tangent,) or
            (n, tangent), infinite where nothing is known.

        The handle returned picks variables for residuals: ``camera[index]``.
        Raises ParameterError that names the variables and the index.
        """
        if not isinstance(name, str) or not name:
            raise ParameterError(f"variables need a name, not {name!r}")
        if name in self._variables:
            raise ParameterError(f"there are variables {name!r} already")
        family = variables_.declare(name, values, manifold, fixed, bounds, prior)
        self._variables[name], self._compiled = family, None
        if family.prior is not None:
            prior_family = prior_residuals(family, family.prior)
            self._residuals[prior_family.name] = prior_family
        return family

    def residuals(
        self,
        function: Callable[..., Any],
        *args: Any,
        loss: Any = None,
        weight: Any = None,
        sqrt_information: Any = None,
        name: str | None = None,
        jacobian: Callable[..., Any] | None = None,
    ) -> str:
        """Declare residuals ``function(*args)`` of n items; the name of the family is returned.

        Each of `args` is variables picked for the items (``camera[index]``; without brackets the single one,
        or one per item), a data array with one row per item, or a plain number or text that is the same for
        all. The function is called with the values of *one* item, or with symbols for them, and returns one
        residual or an array of them.

        loss : such as ``mq.Huber(1.0)``, of the norm of an item's residuals; None: squares.
        weight : factors of the squared residuals, a number or (n,).
        sqrt_information : W, (k, k) or (n, k, k), with ``W'W`` the inverse covariance of an item's residuals.
        name : by default that of the function.
        jacobian : of a function that cannot be traced: called with arrays of all items, it returns an array
            (n, k, components) of derivatives for each pick of variables, or all of them joined.

        Raises DataError and OptionError that name the family and the item.
        """
        called = name or self._free_name(getattr(function, "__name__", type(function).__name__))
        if called in self._residuals:
            raise ParameterError(f"there are residuals {called!r} already; give them another name=")
        declared = residuals_.declare(called, function, args, loss, weight, sqrt_information, jacobian)
        for family, _ in declared.slots:
            if self._variables.get(family.name) is not family:
                raise ParameterError(f"{called!r}: variables {family.name!r} belong to another problem")
        self._residuals[called], self._compiled = declared, None
        return called

    def _free_name(self, name: str) -> str:
        name = "residuals" if name == "<lambda>" else name
        if name not in self._residuals:
            return name
        return next(n for k in range(2, 10**9) if (n := f"{name} {k}") not in self._residuals)

    def compile(self) -> Compiled:
        """Trace and lower what is new; the same problem is compiled once.

        Raises ParameterError for a problem without variables or residuals, ModelError where a function fails.
        """
        if self._compiled is None:
            self._compiled = self._make()
        return self._compiled

    def _make(self) -> Compiled:
        positions = self._positions()
        families = tuple(compile_family(r, positions) for r in self._residuals.values())
        variables = tuple(v.variables for v in self._variables.values())
        sizes = tuple((v.n, int(v.values.shape[1]), v.tangent) for v in variables)
        motions = tuple(motion_of(v.manifold) for v in variables)
        return Compiled(variables, families, motions, Structure(sizes))

    def _positions(self) -> dict[str, int]:
        if not self._variables or not self._residuals:
            what = "variables" if not self._variables else "residuals"
            raise ParameterError(f"the problem has no {what}: declare them with problem.{what}(...)")
        return {name: k for k, name in enumerate(self._variables)}

    @property
    def is_compiled(self) -> bool:
        """Is there nothing new since `compile` was called?"""
        return self._compiled is not None

    def outline(self) -> Outline:
        """Variables, and which of them the residuals take: known before a function is traced.

        Raises ParameterError for a problem without variables or residuals.
        """
        positions = self._positions()
        families = [Items(r.picks(positions)) for r in self._residuals.values()]
        return Outline(tuple(v.variables for v in self._variables.values()), tuple(families))

    def summary(self) -> Summary:
        """Counts, families, what is not determined, and what is eliminated: to be printed before solving."""
        from .summary import Summary

        return Summary(self.compile())

    def plot_structure(self) -> Figure:
        """Which blocks of the system that is factorized are not zero.

        Raises MissingPackageError without matplotlib.
        """
        from ...report.structure import plot_structure

        return plot_structure(self.compile())

    def __repr__(self) -> str:
        counts = ", ".join(f"{v.variables.n} {name!r}" for name, v in self._variables.items())
        items = ", ".join(f"{r.n} {name!r}" for name, r in self._residuals.items())
        return f"<Problem: variables {counts or 'none'}; residuals {items or 'none'}>"
