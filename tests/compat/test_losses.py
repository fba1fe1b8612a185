"""Losses of ``least_squares``: SciPy's definitions, by name or as the caller's function."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import scipy.optimize

from marquardt.compat.losses import chosen_loss
from marquardt.compat.scipy import least_squares

from .models import X, Y, decay, decay_jacobian, opaque

NAMES = ["soft_l1", "huber", "cauchy", "arctan"]
TIGHT = {"ftol": 1e-14, "xtol": 1e-14, "gtol": 1e-14}
WILD = Y.copy()
WILD[5] += 20.0


def cubic(z: Any) -> Any:
    """``3 ((1 + z)^(1/3) - 1)`` with its derivatives, as SciPy wants a loss to be written."""
    t = 1.0 + z
    return np.array([3.0 * (t ** (1 / 3) - 1.0), t ** (-2 / 3), -2.0 / 3.0 * t ** (-5 / 3)])


def residuals(p: Any) -> Any:
    return decay(X, *p) - WILD


def opaque_residuals(p: Any) -> Any:
    return opaque(X, *p) - WILD


def jacobian(p: Any) -> Any:
    return decay_jacobian(X, *p)


@pytest.mark.parametrize("loss", [*NAMES, cubic])
@pytest.mark.parametrize("fun", [residuals, opaque_residuals])
@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), ([0.0, 0.75], [2.5, 5.0])])
def test_a_loss_has_scipys_result(loss: Any, fun: Any, bounds: Any) -> None:
    given: dict[str, Any] = {"loss": loss, "f_scale": 0.1, "bounds": bounds}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = least_squares(fun, [2.0, 1.0], **given)
    theirs = scipy.optimize.least_squares(fun, [2.0, 1.0], **given, **TIGHT)
    assert ours.solver == "marquardt" and ours.certified and ours.success
    assert np.allclose(ours.x, theirs.x, rtol=1e-4) and np.isclose(ours.cost, theirs.cost, rtol=1e-7)
    assert np.allclose(ours.fun, fun(ours.x)) and np.allclose(ours.jac, theirs.jac, atol=2e-3)
    assert np.allclose(ours.grad, theirs.grad, atol=1e-4)
    assert ours.optimality < 1e-4 and np.array_equal(ours.active_mask, theirs.active_mask)


@pytest.mark.parametrize("loss", [*NAMES, cubic])
def test_cost_gradient_and_jacobian_are_those_of_the_loss(loss: Any) -> None:
    """At any point, not just the minimum: here one evaluation from the start."""
    given: dict[str, Any] = {"loss": loss, "f_scale": 0.3, "max_nfev": 1}
    ours = least_squares(residuals, [2.0, 1.0], jacobian, **given)
    theirs = scipy.optimize.least_squares(residuals, [2.0, 1.0], jacobian, **given)
    assert ours.status == theirs.status == 0
    for name in ("x", "cost", "fun", "grad", "jac"):
        assert np.allclose(ours[name], theirs[name], rtol=1e-10), name


@pytest.mark.parametrize("scheme", ["2-point", "3-point", "cs"])
@pytest.mark.parametrize("loss", ["huber", cubic])
def test_every_scheme_of_differences_goes_with_a_loss(loss: Any, scheme: str) -> None:
    def fun(p: Any) -> Any:
        return p[0] * np.exp(-p[1] * X) - WILD + 0.0 * float(repr(float(np.real(p[0]))))

    ours = least_squares(fun, [2.0, 1.0], scheme, loss=loss, f_scale=0.1)
    theirs = scipy.optimize.least_squares(fun, [2.0, 1.0], scheme, loss=loss, f_scale=0.1, **TIGHT)
    assert ours.solver == "marquardt" and np.allclose(ours.x, theirs.x, rtol=1e-4)


def test_a_loss_of_the_caller_is_a_named_one_where_they_are_the_same_formula() -> None:
    def soft_l1(z: Any) -> Any:
        t = 1.0 + z
        return np.array([2.0 * (t**0.5 - 1.0), t**-0.5, -0.5 * t**-1.5])

    one, two = (least_squares(residuals, [2.0, 1.0], loss=loss, f_scale=0.1) for loss in (soft_l1, "soft_l1"))
    assert np.allclose(one.x, two.x, rtol=1e-7) and np.isclose(one.cost, two.cost, rtol=1e-12)


def test_a_loss_that_is_negative_is_handed_to_scipy() -> None:
    def shifted(z: Any) -> Any:
        rho = cubic(z)
        rho[0] -= 1.0
        return rho

    result = least_squares(residuals, [2.0, 1.0], loss=shifted, f_scale=0.1)
    assert result.solver == "scipy" and "the loss is negative" in result.message


def test_a_loss_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="wrong shape"):
        least_squares(residuals, [2.0, 1.0], loss=lambda z: z)


@pytest.mark.parametrize("scale", [0.0, np.nan, np.inf])
def test_a_scale_that_is_none_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="f_scale"):
        least_squares(residuals, [2.0, 1.0], loss="huber", f_scale=scale)


def test_a_scale_has_no_effect_on_plain_squares() -> None:
    assert chosen_loss("linear", 0.1) is None
    one, two = (least_squares(residuals, [2.0, 1.0], f_scale=scale) for scale in (1.0, 0.1))
    assert np.array_equal(one.x, two.x)


@pytest.mark.parametrize("loss", ["cauchy", cubic])
def test_a_callback_sees_residuals_and_the_cost_of_the_loss(loss: Any) -> None:
    seen: list[Any] = []

    def look(intermediate_result: Any) -> None:
        seen.append(intermediate_result)

    result = least_squares(residuals, [2.0, 1.0], loss=loss, f_scale=0.1, callback=look)
    assert np.allclose(seen[-1].fun, result.fun) and np.isclose(seen[-1].cost, result.cost)


@pytest.mark.parametrize(
    ("loss", "documented"),
    [
        ("soft_l1", lambda z: 2.0 * ((1.0 + z) ** 0.5 - 1.0)),
        ("huber", lambda z: np.where(z <= 1.0, z, 2.0 * z**0.5 - 1.0)),
        ("cauchy", lambda z: np.log(1.0 + z)),
        ("arctan", np.arctan),
    ],
)
def test_the_cost_is_the_documented_formula(loss: str, documented: Any) -> None:
    result = least_squares(residuals, [2.0, 1.0], loss=loss, f_scale=0.2)
    z = (result.fun / 0.2) ** 2
    assert np.isclose(result.cost, 0.5 * 0.2**2 * documented(z).sum(), rtol=1e-12)
    other = least_squares(residuals, [2.0, 1.0], loss=loss, f_scale=-0.2)
    assert np.array_equal(other.x, result.x)
