"""Variable projection in NumPy (Golub, Pereyra 1973): the problem without its linear parameters.

Model ``f(a, c) = F(a) c + h(a)``; at every a the linear parameters c are those of least squares. With
``F = Q R`` and ``P = I - QQ'``, the Jacobian of Kaufman (1975) is ``P J_a``, and the Hessian of the projected
problem is the Schur complement of the joint one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .reference_state import Problem
from .reference_step import Box, Matrix, Vector, per_column


class Projected:
    """A joint problem as one of the parameters that are not `linear`."""

    def __init__(self, joint: Problem, x: Vector, linear: Sequence[int]) -> None:
        self.joint, self.all = joint, np.array(x)
        self.linear = list(linear)
        self.others = [j for j in range(x.size) if j not in self.linear]
        f_vv = None if joint.f_vv is None else self.f_vv
        hessian = None if joint.hessian is None else self.hessian
        functions = (self.residuals, self.jacobian, f_vv, hessian)
        self.problem = Problem(*functions, joint.size, projected=True, rounding=self.rounding)

    def without(self, box: Box) -> Box:
        return Box(box.lower[self.others], box.upper[self.others])

    def complete(self, a: Vector) -> Vector:
        """All parameters at `a`; a point already completed is taken as it is."""
        if not np.array_equal(self.all[self.others], a):
            self._solve(a)
        return self.all

    def _solve(self, a: Vector) -> None:
        self.all = self.all.copy()
        self.all[self.others] = a
        F = self.joint.jacobian(self.all)[:, self.linear]
        if np.all(np.isfinite(F)):
            Q, R = np.linalg.qr(F)
            self.all[self.linear] -= np.linalg.solve(R, Q.T @ self.joint.residuals(self.all))

    def residuals(self, a: Vector) -> Vector:
        self._solve(a)
        return self.joint.residuals(self.all)

    def _parts(self, a: Vector) -> tuple[Matrix, Matrix, Matrix, Matrix]:
        """J_c, J_a, R of J_c, and ``A = R^-1 Q'J_a``: how c follows a, but for the sign."""
        J = self.joint.jacobian(self.complete(a))
        F, Ja = J[:, self.linear], J[:, self.others]
        Q, R = np.linalg.qr(F)
        return F, Ja, R, np.linalg.solve(R, Q.T @ Ja)

    def jacobian(self, a: Vector) -> Matrix:
        F, Ja, _, A = self._parts(a)
        return np.asarray(Ja - F @ A)

    def f_vv(self, a: Vector, v: Vector) -> Vector:
        """Second derivative along the path on which c follows; J projects out what c could take off."""
        assert self.joint.f_vv is not None
        along = np.zeros(self.all.size)
        along[self.others], along[self.linear] = v, -self._parts(a)[3] @ v
        return self.joint.f_vv(self.all, along)

    def hessian(self, a: Vector, f: Vector) -> Matrix:
        """What the Schur complement of the joint Hessian has beyond Kaufman's J'J."""
        assert self.joint.hessian is not None
        _, _, R, A = self._parts(a)
        S = self.joint.hessian(self.all, f)
        across = S[np.ix_(self.linear, self.others)]
        W = np.linalg.solve(R.T, across)
        own = S[np.ix_(self.others, self.others)]
        return np.asarray(own - across.T @ A - A.T @ across - W.T @ W)

    def rounding(self, a: Vector) -> tuple[Vector, float]:
        """Rounding errors of the gradient ``(P J_a)'f``, from those of f and from those of both parts of
        ``P J_a``; and the size of the terms of the residuals."""
        F, Ja, _, A = self._parts(a)
        f = self.joint.residuals(self.all)
        size, norms = np.abs(self.joint.size) + 2 * np.abs(f), np.linalg.norm(np.hstack([F, Ja]), axis=0)
        terms = per_column(np.hstack([np.abs(F).T @ size, np.abs(Ja).T @ size]), norms)
        apart = norms[F.shape[1] :] + np.abs(A).T @ norms[: F.shape[1]]
        return np.linalg.norm(Ja - F @ A, axis=0) * terms + apart * np.linalg.norm(f), terms
