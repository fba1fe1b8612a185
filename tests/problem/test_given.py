"""Comparing a given Jacobian with differences: wrong entries are found, right ones are left alone."""

import numpy as np
import pytest

from marquardt.datasets import mgh
from marquardt.problem.given import wrong_entries
from marquardt.problem.model import compile_model

POINTS = [(problem, factor) for problem in mgh.problems() for factor in (1, 10)]


def at(problem, factor):
    """Residual function, point, residuals and exact Jacobian there; None where they are not finite."""
    x = np.array(problem.start_times(factor)) * (1.0 + 0.1 * np.sin(np.arange(problem.n)))
    made = compile_model(problem.residuals, (), {"x": x.shape}).problem(
        (), None, None, x, tuple(range(x.size))
    )
    with np.errstate(all="ignore"):
        f, J = made.residuals(x), made.jacobian(x)
    return (made.residuals, x, f, J) if np.isfinite(f).all() and np.isfinite(J).all() else None


def found(residuals, x, f, J):
    unbounded = np.full(x.size, np.inf)
    return wrong_entries(residuals, J, x, f, -unbounded, unbounded, np.abs(x))


def test_a_right_jacobian_is_never_called_wrong():
    for problem, factor in POINTS:
        case = at(problem, factor)
        assert case is None or found(*case) == [], (problem.name, factor)


@pytest.mark.parametrize("noise", [1e-13, 1e-10, 1e-7, 1e-4])
def test_noise_never_makes_a_right_jacobian_wrong(noise):
    rng = np.random.default_rng(int(-np.log10(noise)))
    for problem, factor in POINTS:
        case = at(problem, factor)
        if case is not None:
            residuals, x, f, J = case
            assert (
                found(lambda z, r=residuals, m=f.size: r(z) * (1 + noise * rng.normal(size=m)), x, f, J) == []
            )


@pytest.mark.parametrize(("change", "share"), [(-2.0, 0.9), (0.5, 0.9), (1e-2, 0.8), (1e-4, 0.4)])
def test_most_wrong_columns_are_found_at_a_single_point(change, share):
    right = asked = 0
    for problem, factor in POINTS:
        case = at(problem, factor)
        if case is None:
            continue
        residuals, x, f, J = case
        for j in range(min(x.size, 4)):
            wrong = J.copy()
            wrong[:, j] *= 1.0 + change
            if wrong[:, j].any():
                asked += 1
                right += [w.column for w in found(residuals, x, f, wrong)] == [j]
    assert right >= share * asked, (right, asked)


def test_a_transposed_jacobian_of_a_square_system_is_found():
    problem = mgh.load("powell_singular")
    residuals, x, f, J = at(problem, 1)
    assert found(residuals, x, f, J.T.copy())
