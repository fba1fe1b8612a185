"""What residuals cost in the reference loop: squares, a loss of each, or the likelihood of counts.

Twice the cost is a sum of terms, one for each residual.
"""

from __future__ import annotations

import numpy as np

from ..problem.likelihood import Likelihood
from ..problem.losses import Loss
from .reference_step import Matrix, Vector


class Squares:
    """The cost of least squares."""

    edge = False
    """Does the cost end where a mean is zero? Newton's model does not see that edge, the other does."""

    def terms(self, f: Vector) -> Vector:
        return f * f

    def falls(self, f: Vector, f1: Vector) -> Vector:
        """By how much each term falls, exact beside huge constants."""
        return (f - f1) * (f + f1)

    def slopes(self, f: Vector) -> Vector:
        """Derivative of half of each term."""
        return f

    def curvatures(self, f: Vector) -> tuple[Vector, Vector]:
        """Second derivative of half of each term, and that of the model, which is not negative."""
        return np.ones(f.size), np.ones(f.size)

    def rows(self, J: Matrix, f: Vector) -> tuple[Matrix, Vector, Vector]:
        """Rows [J f] with the model's curvature J'J and the gradient J'f; how rounding errors of f grow."""
        return J, f, np.ones(f.size)

    def bends(self, f: Vector, f_vv: Vector) -> Vector:
        """Second derivatives of the residuals as those of the rows."""
        return f_vv

    def hessian(self, H: Matrix, J: Matrix, f: Vector) -> Matrix:
        """What is to be added to J'J of the rows J, H the sum of the residuals' Hessians times the slopes."""
        return H


class Weighted(Squares):
    """A cost whose model is that of weighted rows."""

    def growths(self, f: Vector) -> Vector:
        """How much rounding errors of a residual grow in its slope."""
        return np.maximum(*self.curvatures(f))

    def rows(self, J: Matrix, f: Vector) -> tuple[Matrix, Vector, Vector]:
        row = np.sqrt(self.curvatures(f)[1])
        inverse = np.where(row > 0.0, 1.0 / np.where(row > 0.0, row, 1.0), 0.0)
        return J * row[:, None], self.slopes(f) * inverse, self.growths(f) * inverse

    def bends(self, f: Vector, f_vv: Vector) -> Vector:
        return f_vv * np.sqrt(self.curvatures(f)[1])

    def hessian(self, H: Matrix, J: Matrix, f: Vector) -> Matrix:
        exact, model = self.curvatures(f)
        part = np.where(model > 0.0, (exact - model) / np.where(model > 0.0, model, 1.0), 0.0)
        return np.asarray(H + (J * part[:, None]).T @ J)


class Robust(Weighted):
    """The cost of a loss."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss

    def terms(self, f: Vector) -> Vector:
        return np.asarray(self.loss.scale**2 * self.loss.row.rho((f / self.loss.scale) ** 2)[0])

    def falls(self, f: Vector, f1: Vector) -> Vector:
        largest = np.maximum(np.abs(f), np.abs(f1))
        squares = (self.loss.name == "huber") & (largest <= self.loss.scale)
        return np.where(squares, super().falls(f, f1), self.terms(f) - self.terms(f1))

    def slopes(self, f: Vector) -> Vector:
        return self.loss.slopes(f)

    def curvatures(self, f: Vector) -> tuple[Vector, Vector]:
        return self.loss.curvatures(f)

    def growths(self, f: Vector) -> Vector:
        return np.maximum(self.loss.weights(f), self.curvatures(f)[1])


class Deviance(Weighted):
    """The cost of counts."""

    edge = True

    def __init__(self, likelihood: Likelihood) -> None:
        self.likelihood = likelihood

    def terms(self, f: Vector) -> Vector:
        return 2.0 * self.likelihood.half_deviances(f)

    def falls(self, f: Vector, f1: Vector) -> Vector:
        return 2.0 * self.likelihood.falls(f, f1)

    def slopes(self, f: Vector) -> Vector:
        return self.likelihood.slopes(f)

    def curvatures(self, f: Vector) -> tuple[Vector, Vector]:
        return self.likelihood.curvatures(f)


SQUARES = Squares()


def cost_of(loss: Loss | Likelihood | None) -> Squares:
    """The cost of a problem with this loss."""
    if loss is None:
        return SQUARES
    return Robust(loss) if isinstance(loss, Loss) else Deviance(loss)
