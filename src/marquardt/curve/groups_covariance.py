"""Any block of the joint covariance of one fit of many groups, which is never made as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..solve.arrow import Pair
from ..solve.arrow_minimize import Outcome

Matrix = NDArray[np.float64]

NULL = 1e-6
"""A parameter with less than this part of an undetermined combination is determined."""


class JointCovariance:
    """s² (J'J)^-1 over the G groups' own parameters (k each) and the s shared ones, from the arrow factor.

    `variance_factor` is s², or 1 with known standard deviations. Positions count group after group, the
    shared parameters last.
    """

    def __init__(self, outcome: Outcome, variance_factor: float) -> None:
        self._outcome, self._variance_factor = outcome, variance_factor

    @cached_property
    def _blocks(self) -> tuple[Matrix, Matrix, Matrix]:
        """U^-1 (G, k, k), the pull P = U^-1 W of the shared on the own (G, k, s), and the shared block, of
        columns with length one."""
        a = self._outcome.factor
        inverse: Any = np.linalg.inv(a.U)
        border: Any = np.linalg.inv(a.R) if a.s else a.R
        return inverse, inverse @ a.W, border @ border.T

    @cached_property
    def variance(self) -> Pair:
        """Of every parameter: infinite where it is not determined, NaN where it is held at a bound."""
        inverse, pull, shared = self._blocks
        own = (inverse * inverse).sum(axis=2) + np.einsum("gij,jk,gik->gi", pull, shared, pull)
        v, n = self._variance_factor, self._outcome.norms
        found = Pair(own * v / n.own**2, np.diagonal(shared) * v / n.shared**2)
        return self._honest(found)

    def _honest(self, variance: Pair) -> Pair:
        """Infinite where the data do not determine a parameter, NaN where it is held at its bound."""
        lost, active = self._lost, self._outcome.active
        own = np.where(lost.own > 0.0, np.inf, variance.own)
        shared = np.where(lost.shared > 0.0, np.inf, variance.shared)
        return Pair(np.where(active.own != 0, np.nan, own), np.where(active.shared != 0, np.nan, shared))

    @cached_property
    def _lost(self) -> Pair:
        """1 where a parameter takes part in a combination that the data do not determine."""
        a = self._outcome.factor
        own = (np.abs(a.null_own) > NULL).any(axis=1)
        shared = (np.abs(a.null_shared) > NULL).any(axis=1)
        if a.null_shared.size:  # the own parameters follow along
            follow = np.abs(self._blocks[1] @ a.null_shared).max(axis=2) > NULL
            own = own | follow
        return Pair(own.astype(float), shared.astype(float))

    def block(self, at: Sequence[int]) -> Matrix:
        """Covariance of the parameters at the positions `at`, (len(at), len(at))."""
        inverse, pull, shared = self._blocks
        k, s = pull.shape[1:]
        n_own = pull.shape[0] * k
        # Of every one: how it follows the shared parameters, and its own rows.
        follow = np.array([-pull[i // k, i % k] if i < n_own else np.eye(s)[i - n_own] for i in at])
        found = follow.reshape(len(at), s) @ shared @ follow.reshape(len(at), s).T
        for a, i in enumerate(at):
            for b, j in enumerate(at):
                if i < n_own and j < n_own and i // k == j // k:
                    found[a, b] += inverse[i // k, i % k] @ inverse[j // k, j % k]
        scale = self._outcome.norms
        flat = np.concatenate([scale.own.ravel(), scale.shared])[list(at)]
        found = found * self._variance_factor / np.outer(flat, flat)
        honest = self.variance.flat[list(at)]
        found[~np.isfinite(honest), :] = np.nan
        found[:, ~np.isfinite(honest)] = np.nan
        np.fill_diagonal(found, honest)
        covariance: Matrix = found
        return covariance
