"""The reference takes the core's steps for losses and for counts too."""

import numpy as np
import pytest

from marquardt.options import Options
from marquardt.problem.likelihood import Likelihood
from marquardt.problem.losses import loss_of

from .jets import Exact
from .support import differs, in_core, in_numpy

T = np.linspace(0.0, 5.0, 40)
RNG = np.random.default_rng(3)
NOISY = 5.0 * np.exp(-1.3 * T) + 1.0 + 0.1 * RNG.standard_normal(40)
NOISY[[4, 20, 33]] += [2.0, -3.0, 4.0]
COUNTS = RNG.poisson(3.0 * np.exp(-0.8 * T)).astype(float)
TRIALS = RNG.integers(1, 20, 40).astype(float)
PARTS = RNG.binomial(TRIALS.astype(int), 1.0 / (1.0 + np.exp(-(T - 2.0)))) / TRIALS


def decay(b):
    return b[0] * np.exp(-b[1] * T) + b[2] - NOISY


def mean(b):
    return b[0] * np.exp(-b[1] * T) - COUNTS


def chance(b):
    return 1.0 / (1.0 + np.exp(-(b[0] + b[1] * T))) - PARTS


def counted(b):
    return b[0] * np.exp(-b[1] * T) + b[2] - COUNTS


LOSSES = ["huber", "soft_l1", "cauchy", "geman_mcclure", "barron(-2)", "2*(sqrt(1 + z) - 1)"]
CASES = [
    *((decay, [4.0, 1.0, 0.5], np.abs(NOISY), loss_of(name).at_scale(0.2), name) for name in LOSSES),
    (mean, [1.0, 0.3], COUNTS, Likelihood("poisson", COUNTS), "poisson"),
    (mean, [9.0, 2.0], COUNTS, Likelihood("poisson", COUNTS, TRIALS), "poisson cases"),
    (counted, [1.0, 0.5, 1.0], COUNTS, Likelihood("poisson", COUNTS), "poisson offset"),
    (chance, [0.0, 0.1], PARTS, Likelihood("binomial", PARTS, TRIALS), "binomial"),
]


@pytest.mark.parametrize("method", ["auto", "more", "newton", "marquardt"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[-1])
def test_steps_of_core_and_reference_are_the_same(case, method):
    function, start, observed, loss, _ = case
    problem, options = Exact(function), Options(method=method)
    core, numpy = (
        run(problem, start, options=options, observed=observed, loss=loss) for run in (in_core, in_numpy)
    )
    assert differs(core, numpy) is None
    assert core.status == numpy.status
    if core.status.success:
        assert np.allclose(core.x, numpy.x, rtol=1e-6, atol=1e-9)
