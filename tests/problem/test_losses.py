"""Losses: each derivative is that of the one before, SciPy's values, and the core's table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import least_squares

from marquardt import _core
from marquardt.errors import OptionError
from marquardt.problem.losses import EFFICIENCY, LOSSES, Loss, good_noise, loss_of, noise, tuning

SHAPES = (2.0, 1.5, 1.0, 0.5, 1e-9, 0.0, -1e-9, -2.0, -10.0, -math.inf)
ALL = [*map(Loss, LOSSES), *(Loss("barron", alpha=a) for a in SHAPES)]
Z = np.array([1e-8, 0.01, 0.3, 0.9, 1.2, 4.0, 30.0])


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: loss.title)
def test_each_derivative_is_that_of_the_one_before(loss: Loss) -> None:
    assert [float(v[0]) for v in loss.row.rho(np.zeros(1))][:2] == [0.0, 1.0]
    z = Z[1:]  # below, differences of ρ' are rounding
    h = 1e-5 * z
    up, at, down = (loss.row.rho(near) for near in (z + h, z, z - h))
    for k in range(2):
        slope = (up[k] - down[k]) / (2.0 * h)
        assert np.allclose(slope, at[k + 1], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: loss.title)
def test_the_core_has_the_same_table(loss: Loss) -> None:
    for z in Z.tolist():
        core, table = _core.loss_values(loss.native(), z), loss.row.rho(np.array([z]))
        assert np.allclose(core, [float(v[0]) for v in table], rtol=1e-14, atol=1e-300)


WRITTEN = {
    "huber": "where(z <= 1, z, 2*sqrt(z) - 1)",
    "soft_l1": "2*(sqrt(1 + z) - 1)",
    "cauchy": "log(1 + z)",
    "arctan": "arctan(z)",
    "geman_mcclure": "z/(1 + z)",
    "tukey": "where(z <= 1, z*(1 - z + z^2/3), 1/3)",
    "welsch": "1 - exp(-z)",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_loss_written_as_a_formula_is_the_built_in_one(name: str) -> None:
    built, written = Loss(name), loss_of(WRITTEN[name])
    assert written is not None and written.row.redescends == built.row.redescends
    assert written.row.tuning == pytest.approx(built.row.tuning, abs=1e-3)
    for z in Z.tolist():
        ours = [float(v[0]) for v in built.row.rho(np.array([z]))]
        assert np.allclose(_core.loss_values(written.native(), z), ours, rtol=1e-12, atol=1e-15)
        assert np.allclose(
            [float(v[0]) for v in written.row.rho(np.array([z]))], ours, rtol=1e-12, atol=1e-15
        )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("log(2 + z)", r"ρ\(0\) is 0.693147 and must be 0: subtract it"),
        ("2*z", r"ρ'\(0\) is 2 and must be 1: divide the formula by 2"),
        ("z*(1 - z)", "ρ falls at z = 0.562"),
        ("z + a", "'a' is not known; a loss is a formula of z alone"),
        ("z + (1 - z", "is no formula of the squared residual z"),
        ("z/(1 - z)", "not finite at z = 1"),
        ("z^2", r"ρ'\(0\) is 0 and must be 1"),
    ],
)
def test_a_formula_that_is_no_loss_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        loss_of(text)


@pytest.mark.parametrize("name", ["huber", "soft_l1", "cauchy", "arctan"])
def test_costs_are_those_of_scipy(name: str) -> None:
    f = np.linspace(-3.0, 4.0, 9)
    theirs = least_squares(lambda x: f + 0.0 * x[0], [1.0], loss=name, f_scale=0.7, max_nfev=1)
    assert Loss(name, 0.7).cost(f) == pytest.approx(theirs.cost, rel=1e-14)


def test_the_family_of_barron_holds_the_others() -> None:
    for alpha, name, stretch in ((1.0, "soft_l1", 1.0), (-2.0, "geman_mcclure", 4.0)):
        family, other = Loss("barron", alpha=alpha).row.rho(stretch * Z), LOSSES[name].rho(Z)
        assert np.allclose(family[0], stretch * other[0], rtol=1e-13)
        assert np.allclose(family[1], other[1], rtol=1e-13)
    nearly, square = Loss("barron", alpha=2.0 - 1e-9).row.rho(Z), Loss("barron", alpha=2.0).row.rho(Z)
    assert np.allclose(nearly[0], square[0], rtol=1e-7)


@pytest.mark.parametrize("name", LOSSES)
def test_tuning_constants_cost_five_percent_of_the_efficiency(name: str) -> None:
    row = LOSSES[name]
    assert row.tuning == pytest.approx(tuning(row.rho, EFFICIENCY), abs=1e-3)


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: loss.title)
def test_the_pull_of_a_redescending_loss_falls(loss: Loss) -> None:
    near, far = (float(loss.row.rho(np.array([x**2]))[1][0]) * x for x in (100.0, 1000.0))
    assert (far < 0.9 * near or near == 0.0) == loss.row.redescends


@pytest.mark.parametrize("text", ["hubert", "barron", "barron()", "barron(3)", "barron(nan)", "tukey(1)", 3])
def test_an_unknown_loss_is_refused(text: object) -> None:
    with pytest.raises(OptionError, match="loss = "):
        loss_of(text)


def test_noise_is_right_for_normal_residuals_and_survives_outliers() -> None:
    rng = np.random.default_rng(4)
    basis = np.linalg.qr(np.vander(np.linspace(-1.0, 1.0, 20), 3))[0]
    drawn = rng.standard_normal((2000, 20))
    left = drawn - (drawn @ basis) @ basis.T
    for estimate in (noise, good_noise):
        assert np.mean([estimate(f, 3) for f in left]) == pytest.approx(1.0, abs=0.03)
    assert np.std([good_noise(f, 3) for f in left]) < 0.75 * np.std([noise(f, 3) for f in left])
    wild = rng.standard_normal(999)
    wild[:300] += 1e6
    assert 1.0 < good_noise(wild, 0) < noise(wild, 0) < 1.7
