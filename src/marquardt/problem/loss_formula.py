"""Losses by formula: ρ(z) of the squared residual z as text, its derivatives taken on the graph."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import FormulaError, OptionError
from ..expr.derive import directional
from ..expr.formula import parse
from ..expr.graph import Node
from ..expr.interpret import compile_numpy
from ..expr.tape import in_core, lower

Vector = NDArray[np.float64]

VARIABLE = re.compile(r"(?<![\w.])z(?![\w.])")
LOOKED_AT = np.concatenate([[0.0], np.geomspace(1e-12, 1e12, 193)])
"""Squared residuals at which a formula is looked at."""
SLACK = 1e-9


class FormulaLoss:
    """ρ, ρ' and ρ'' by a formula of z.

    Raises OptionError where the formula is no loss: ρ(0) = 0, ρ'(0) = 1, ρ' never negative, all finite.

    >>> rho = FormulaLoss("2*(sqrt(1 + z) - 1)")
    >>> [float(v[0]) for v in rho(np.array([3.0]))]
    [2.0, 0.5, -0.0625]
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self._outputs, graph = _outputs(self.text)
        self._program = compile_numpy(self._outputs)
        missing = in_core(self._outputs)
        if missing is not None:
            raise OptionError(f"loss = {text!r}: {missing!r} cannot be part of a loss")
        s = lower(graph, self._outputs, 0, n_columns=1)
        self.tape = _core.Tape(
            s.n_params, s.constants, s.prologue, s.n_inputs, s.code, s.n_registers, s.outputs, s.guards
        )
        self._check()

    def __call__(self, z: Vector) -> tuple[Vector, Vector, Vector]:
        with np.errstate(all="ignore"):
            rho, slope, bend = (np.broadcast_to(v, z.shape) for v in self._program([], [z]))
        return rho, slope, bend

    @property
    def redescends(self) -> bool:
        """Does the pull ``ρ' √z`` fall anywhere?"""
        _, slope, bend = self(LOOKED_AT)
        return bool(np.any(slope + 2.0 * bend * LOOKED_AT < -SLACK * np.abs(slope)))

    def _check(self) -> None:
        values = self(LOOKED_AT)
        bad = ~np.isfinite(values).all(axis=0)
        if bad.any():
            self._refuse(f"ρ or a derivative of it is not finite at z = {LOOKED_AT[np.argmax(bad)]:.3g}")
        rho, slope, _ = values
        if abs(rho[0]) > SLACK:
            self._refuse(f"ρ(0) is {rho[0]:g} and must be 0: subtract it")
        if not slope[0] > 0.0:
            self._refuse(f"ρ'(0) is {slope[0]:g} and must be 1, so that small residuals cost their squares")
        if abs(slope[0] - 1.0) > SLACK:
            self._refuse(f"ρ'(0) is {slope[0]:g} and must be 1: divide the formula by {slope[0]:g}")
        falls = slope < -SLACK
        if falls.any():
            self._refuse(
                f"ρ falls at z = {LOOKED_AT[np.argmax(falls)]:.3g}: a larger residual would cost less"
            )

    def _refuse(self, why: str) -> None:
        raise OptionError(f"loss = {self.text!r}: {why}")


def _outputs(text: str) -> tuple[list[Node], Any]:
    try:
        formula = parse(text, ("z",))
    except FormulaError as error:
        raise OptionError(f"loss = {text!r} is no formula of the squared residual z: {error}") from None
    if formula.response is not None or formula.param_names:
        guilty = "~" if formula.response is not None else formula.param_names[0]
        raise OptionError(f"loss = {text!r}: {guilty!r} is not known; a loss is a formula of z alone")
    graph, z, one = formula.graph, formula.graph.data(0), formula.graph.const(1.0)
    slope = directional(graph, [formula.node], [z], [one])
    return [formula.node, *slope, *directional(graph, slope, [z], [one])], graph


@lru_cache(maxsize=32)
def formula_loss(text: str) -> FormulaLoss:
    """The loss of a formula, made once."""
    return FormulaLoss(text)
