"""The methods on real problems: recorded steps against their definitions, core against reference, ends."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

import marquardt as mq
from marquardt.errors import OptionError
from marquardt.options import METHODS, Options
from marquardt.solve import reference_methods

from .jets import Exact
from .support import DAMPINGS, STRATEGIES, certified, differs, in_core, in_numpy

T = np.linspace(0, 4, 20)
NOISY = 5 * np.exp(-1.3 * T) + 1 + 0.05 * np.sin(17 * T)
every_strategy = pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: "-".join(map(str, s.values())))


def unit(i, n):
    return np.eye(n)[i]


def rosenbrock(b):
    return unit(0, 2) * (10 * (b[1] - b[0] ** 2)) + unit(1, 2) * (1 - b[0])


def beale(b):
    return np.array([1.5, 2.25, 2.625]) - b[0] * (1 - b[1] ** np.array([1.0, 2.0, 3.0]))


def powell_singular(b):
    return (
        unit(0, 4) * (b[0] + 10 * b[1]) + unit(1, 4) * (5**0.5 * (b[2] - b[3]))
        + unit(2, 4) * (b[1] - 2 * b[2]) ** 2 + unit(3, 4) * (10**0.5 * (b[0] - b[3]) ** 2)
    )  # fmt: skip


S = np.arange(1, 21) / 5


def brown_dennis(b):
    return (b[0] + S * b[1] - np.exp(S)) ** 2 + (b[2] + b[3] * np.sin(S) - np.cos(S)) ** 2


def decay(b):
    return b[0] * np.exp(-b[1] * T) + b[2] - NOISY


def misra(b):
    return certified("Misra1a")[0].function(b)


def boxbod(b):
    return certified("BoxBOD")[0].function(b)


PROBLEMS = {
    rosenbrock: [-1.2, 1.0], beale: [1.0, 1.0], powell_singular: [3.0, -1.0, 0.0, 1.0],
    brown_dennis: [25.0, 5.0, -5.0, -1.0], decay: [1.0, 1.0, 0.5], misra: [250.0, 5e-4],
    boxbod: [100.0, 0.75],
}  # fmt: skip
every_problem = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.__name__)


@cache
def end(problem, code=in_core, **options):
    return code(Exact(problem), PROBLEMS[problem], options=Options(**{"max_evaluations": 100, **options}))


# ------------------------------------------------------------------ the record against the definitions


class Step:
    """One recorded trial with the linear model it was made from."""

    def __init__(self, trace, k, hessian):
        self.row, g = trace[k], trace.geometry(k)
        self.A, self.z, self.x, self.D = g.R / g.D, g.z, g.x, g.D
        self.u = g.p * g.D
        self.room = 8 * np.finfo(float).eps * np.linalg.norm(g.x * g.D)  # x + p is rounded
        newton = self.row["model"] == "newton"
        self.S = hessian(g.x) / np.outer(g.D, g.D) if newton else np.zeros((g.x.size, g.x.size))
        self.B = self.A.T @ self.A + self.S
        self.gradient = self.A.T @ self.z

    def solution(self, damping):
        """-(B + damping)^-1 gradient."""
        return -np.linalg.solve(self.B + damping * np.eye(self.u.size), self.gradient)

    def ridge(self, damping):
        """The same by augmented least squares: no condition squared."""
        A = np.vstack([self.A, np.sqrt(damping) * np.eye(self.u.size)])
        return np.linalg.lstsq(A, np.concatenate([-self.z, np.zeros(self.u.size)]), rcond=None)[0]

    def reduction(self):
        """Of the cost, by the model."""
        Au = self.A @ self.u
        return -(self.z @ Au + 0.5 * Au @ Au + 0.5 * self.u @ self.S @ self.u)


def steps(problem, models=("gauss-newton", "newton"), **strategy):
    """Recorded steps whose reduction is above the rounding error of x."""
    found, exact = end(problem, **strategy), Exact(problem)
    for k in range(len(found.rows)):
        row = found.rows[k]
        if row["model"] in models and row["step"] > 1e-6 * np.linalg.norm(found.rows.scales[0] * found.x):
            yield Step(found.rows, k, lambda x: exact.hessian(x, exact.residuals(x)))


def same(a, b, room, tolerance=1e-7):
    return np.linalg.norm(a - b) <= tolerance * np.linalg.norm(b) + room


@every_problem
@pytest.mark.parametrize("damping", DAMPINGS)
@pytest.mark.parametrize("method", ["levenberg", "marquardt"])
def test_recorded_damped_steps_are_ridge_regressions_with_the_recorded_damping(problem, method, damping):
    seen = 0
    for s in steps(problem, method=method, damping=damping):
        assert s.row["damping"] > 0 and same(s.u, s.ridge(s.row["damping"]), s.room)
        seen += 1
    assert seen > 3


@every_problem
@pytest.mark.parametrize("method", ["auto", "more", "newton"])
def test_recorded_region_steps_minimize_their_model_within_the_radius(problem, method):
    for s in steps(problem, method=method):
        size, radius, damping = np.linalg.norm(s.u), s.row["radius"], s.row["damping"]
        assert size <= 1.1 * radius * (1 + 1e-9) + s.room
        if damping > 0:
            assert size >= 0.9 * radius - s.room or s.row["iteration"] == 1
        expected = s.ridge(damping) if s.row["model"] == "gauss-newton" else s.solution(damping)
        lowest = np.linalg.eigvalsh(s.B)[0]
        if lowest + damping > 1e-8 * np.linalg.norm(s.B):  # else the hard case: along an eigenvector
            assert same(s.u, expected, s.room, 1e-6)


@every_problem
def test_recorded_dogleg_steps_lie_in_the_region_and_on_the_path(problem):
    for s in steps(problem, method="dogleg"):
        size, radius = np.linalg.norm(s.u), s.row["radius"]
        first = -s.gradient * (s.gradient @ s.gradient) / np.sum((s.A @ s.gradient) ** 2)
        last = np.linalg.lstsq(s.A, -s.z, rcond=None)[0]
        assert size <= radius * (1 + 1e-9) + s.room
        if same(s.u, last, s.room):
            continue
        assert size >= radius * (1 - 1e-9) - s.room
        if size < np.linalg.norm(first):
            assert same(s.u, first * size / np.linalg.norm(first), s.room)
        else:
            part = (s.u - first) @ (last - first) / np.sum((last - first) ** 2)
            assert 0 <= part <= 1 and same(s.u, first + part * (last - first), s.room)


@every_problem
def test_recorded_gradient_steps_are_halved_cauchy_steps(problem):
    for s in steps(problem, method="gradient-descent"):
        cauchy = -s.gradient * (s.gradient @ s.gradient) / np.sum((s.A @ s.gradient) ** 2)
        halvings = -np.log2(np.linalg.norm(s.u) / np.linalg.norm(cauchy))
        assert same(s.u, cauchy * 0.5 ** round(halvings), s.room)
        assert s.row["cos_descent"] > 1 - 1e-9


@every_problem
def test_recorded_gauss_newton_steps_solve_the_linear_problem(problem):
    for s in steps(problem, method="gauss-newton"):
        assert same(s.u, np.linalg.lstsq(s.A, -s.z, rcond=None)[0], s.room)
        assert s.row["cos_gauss_newton"] > 1 - 1e-9 and s.row["damping"] == 0


@every_strategy
@every_problem
def test_recorded_predictions_are_the_models_and_reductions_add_up(problem, strategy):
    rows = end(problem, **strategy).rows
    for s in steps(problem, **strategy):
        room = 1e-10 * s.row["cost"] + np.linalg.norm(s.A) * np.linalg.norm(s.z) * s.room
        tolerance = 1e-6 + 1e-15 * np.linalg.cond(s.B)
        assert abs(s.row["predicted"] - s.reduction()) <= tolerance * abs(s.reduction()) + room
        assert abs(np.linalg.norm(s.u) - s.row["step"]) <= 1e-9 * s.row["step"] + s.room
    tried = rows[np.isfinite(rows["trial_cost"])]
    rounding = 1e-12 * (tried["cost"] + tried["trial_cost"])
    assert np.all(np.abs(tried["cost"] - tried["trial_cost"] - tried["actual"]) <= rounding)


@every_strategy
@every_problem
def test_a_step_is_taken_where_its_gain_is_above_the_threshold_only(problem, strategy):
    rows = end(problem, **strategy).rows
    judged = rows[(rows["model"] != "polish") & np.isfinite(rows["trial_cost"])]
    if strategy["method"] == "gauss-newton":
        assert np.all(judged["accepted"])  # uphill too
        return
    good = (judged["gain_ratio"] > reference_methods.ACCEPT) & (judged["actual"] > 0)
    assert np.array_equal(good, judged["accepted"])


def consecutive(problem, **strategy):
    """Trials whose damping follows from that of the one before: above the least, after a finite trial."""
    rows = end(problem, **strategy).rows
    g = rows.geometry(0)
    least = reference_methods.LEAST * np.max(np.sum((g.R / g.D) ** 2, axis=0))
    rows = rows[rows["model"] != "polish"]
    for now, then in pairwise(rows):
        if np.isfinite(now["trial_cost"]) and then["damping"] > 1.0001 * least:
            yield now, then


@every_problem
def test_nielsens_damping_follows_the_recorded_gain_ratios(problem):
    growth = 2.0
    for now, then in consecutive(problem, method="levenberg", damping="nielsen"):
        if now["accepted"]:
            expected = max(1 / 3, 1 - (2 * min(now["gain_ratio"], 1) - 1) ** 3)
            growth = 2.0
        else:
            expected, growth = growth, 2 * growth
        assert np.isclose(then["damping"], expected * now["damping"], rtol=1e-9)


@every_problem
@pytest.mark.parametrize("damping, up, down", [("classic", 10, 10), ("delayed", 2, 5)])
def test_dampings_with_factors_follow_the_verdicts(problem, damping, up, down):
    for now, then in consecutive(problem, method="levenberg", damping=damping):
        expected = 1 / down if now["accepted"] else up
        assert np.isclose(then["damping"], expected * now["damping"], rtol=1e-12)


@every_problem
def test_the_first_damping_is_a_part_of_the_largest_diagonal_entry(problem):
    for method in ("levenberg", "marquardt"):
        for damping, part in (("nielsen", 1e-3), ("classic", 1e-2), ("delayed", 1e-3)):
            rows = end(problem, method=method, damping=damping).rows
            g = rows.geometry(0)
            assert np.isclose(rows["damping"][0], part * np.max(np.sum((g.R / g.D) ** 2, axis=0)), rtol=1e-9)


@every_problem
def test_scalings_are_what_they_say(problem):
    for name, expected in {
        "identity": lambda x, norms: np.ones_like(norms),
        "columns": lambda x, norms: norms,
        "running-max": lambda x, norms: np.maximum.accumulate(norms),
        "magnitude": lambda x, norms: 1 / np.maximum.accumulate(np.abs(x)),
    }.items():
        rows = end(problem, method="more", scaling=name, polish=False).rows
        n = rows.points.shape[1]
        norms = np.linalg.norm(rows.factors[:, :n, :n], axis=1)
        if np.any(rows.points[0] == 0) or np.any(norms == 0):
            continue  # a substitute stands for what is not known
        np.testing.assert_allclose(rows.scales, expected(rows.points, norms), rtol=1e-12)


# ------------------------------------------------------------------ core and reference


@every_strategy
@every_problem
def test_core_and_reference_take_the_same_steps(problem, strategy):
    core, numpy = end(problem, **strategy), end(problem, in_numpy, **strategy)
    assert differs(core, numpy) is None
    nothing = 1e-16 * np.sum(problem(np.array(PROBLEMS[problem])) ** 2)
    if core.rss < nothing and numpy.rss < nothing:
        return  # when a cost of zero counts as reached is for rounding errors to say
    assert core.status is numpy.status or not (core.status.success or numpy.status.success)
    if core.status.success:
        np.testing.assert_allclose(core.x, numpy.x, rtol=1e-6, atol=1e-6 * np.max(np.abs(numpy.x)) + 1e-6)


# ------------------------------------------------------------------ fits


def decay_model(x, a, b, c):
    return a * np.exp(-b * x) + c


def logistic(x, height, rate, middle):
    return height / (1 + np.exp(-rate * (x - middle)))


def michaelis(x, Vmax, Km):
    return Vmax * x / (Km + x)


NOISE = np.random.default_rng(7).normal(size=T.size)
CURVES = {
    decay_model: ((5.0, 1.3, 1.0), (4.0, 1.0, 0.5), 0.05),
    logistic: ((3.0, 2.0, 1.5), (2.5, 1.5, 1.2), 0.05),
    michaelis: ((2.0, 0.7), (1.5, 1.0), 0.03),
}


@every_strategy
@pytest.mark.parametrize("model", CURVES, ids=lambda m: m.__name__)
def test_every_method_reaches_the_same_minimum_of_a_well_behaved_fit(model, strategy):
    truth, start, noise = CURVES[model]
    y = model(T, *truth) + noise * NOISE
    best = mq.fit(model, T, y, start=start)
    other = mq.fit(model, T, y, start=start, **strategy)
    np.testing.assert_allclose(other.x, best.x, rtol=1e-5)
    assert best.success and other.cost <= best.cost * (1 + 1e-10)
    slow = strategy["method"] == "gradient-descent"  # judged on the cost alone, it cannot see the last digits
    assert other.success or (slow and other.status is mq.Status.STALLED)


@every_strategy
def test_every_method_gives_the_same_bits_with_any_number_of_threads(strategy):
    x = np.linspace(0, 4, 3000)
    y = decay_model(x, 5.0, 1.3, 1.0) + 0.05 * np.sin(17 * x)
    options = [Options(threads=n, max_evaluations=30) for n in (1, 2)]
    one, two = (mq.fit(decay_model, x, y, start=(1, 1, 0.5), options=o, **strategy) for o in options)
    assert one.x.tobytes() == two.x.tobytes() and one.nfev == two.nfev
    assert one.trace["trial_cost"].tobytes() == two.trace["trial_cost"].tobytes()


@pytest.mark.parametrize("method", ["auto", "more", "levenberg", "marquardt"])
def test_acceleration_bends_steps_where_it_is_asked_for_and_only_there(method):
    y = decay_model(T, 5.0, 1.3, 1.0) + 0.05 * NOISE
    bent = mq.fit(decay_model, T, y, start=(1, 1, 0.5), method=method, acceleration=True)
    straight = mq.fit(decay_model, T, y, start=(1, 1, 0.5), method=method, acceleration=False)
    assert "accelerated" in bent.trace["model"] and "accelerated" not in straight.trace["model"]
    np.testing.assert_allclose(bent.x, straight.x, rtol=1e-6)


@pytest.mark.parametrize("method", ["dogleg", "newton", "gradient-descent"])
def test_a_method_without_damped_steps_cannot_be_accelerated(method):
    with pytest.raises(OptionError, match="acceleration"):
        mq.fit(decay_model, T, NOISY, start=(1, 1, 0.5), method=method, acceleration=True)


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("levenberg", "marquardt")])
def test_a_damping_rule_is_only_for_methods_with_a_damping(method):
    with pytest.raises(OptionError, match="damping"):
        mq.fit(decay_model, T, NOISY, start=(1, 1, 0.5), method=method, damping="nielsen")


def test_the_tables_of_core_options_and_reference_have_the_same_methods():
    assert set(reference_methods.METHODS) == set(METHODS)
    assert set(reference_methods.DAMPINGS) == set(DAMPINGS)


# ------------------------------------------------------------------ how methods fail


def test_gauss_newton_goes_uphill_and_returns_the_best_point_seen():
    found = in_core(Exact(lambda b: np.arctan(b[0] * np.array([1.0]))), [1.5],
                    options=Options(method="gauss-newton"))  # fmt: skip
    assert np.any(found.rows["actual"] < 0) and np.all(found.rows["accepted"])
    assert not found.status.success and found.rss <= np.arctan(1.5) ** 2


def test_gauss_newton_stops_where_the_data_do_not_determine_a_step():
    found = in_core(Exact(lambda b: b[0] * b[1] * T - 6 * T - 0.1), [1.0, 2.0],
                    options=Options(method="gauss-newton"))  # fmt: skip
    assert found.reason == "singular" and not found.status.success


def test_gradient_descent_zigzags_through_rosenbrocks_valley():
    hiker = in_core(Exact(rosenbrock), [-1.2, 1.0], options=Options(method="gradient-descent",
                    max_evaluations=3000))  # fmt: skip
    sprinter = end(rosenbrock)
    assert sprinter.nfev <= 25 and sprinter.rss <= 2e-28
    assert hiker.nfev > 1000 and np.all(np.diff(hiker.costs) < 0)


@every_strategy
@pytest.mark.parametrize("factor", [1e-100, 1e100])
def test_the_unit_of_the_residuals_does_not_matter(strategy, factor):
    plain = end(decay, **strategy)
    scaled = in_core(Exact(lambda b: factor * decay(b)), PROBLEMS[decay],
                     options=Options(max_evaluations=100, **strategy))  # fmt: skip
    np.testing.assert_allclose(scaled.x, plain.x, rtol=1e-6)
    assert abs(scaled.nfev - plain.nfev) <= 2


@every_strategy
def test_a_residual_that_is_not_finite_refuses_the_step(strategy):
    x = np.linspace(0.1, 4, 30)
    y = 2 * np.sqrt(0.05 + x) + 0.001 * np.sin(20 * x)
    found = in_core(Exact(lambda b: b[0] * np.sqrt(b[1] + x) - y), [0.1, 30.0],
                    options=Options(max_evaluations=200, **strategy))  # fmt: skip
    assert np.all(np.isfinite(found.f))
    refused = found.rows[~np.isfinite(found.rows["trial_cost"]) & (found.rows["verdict"] != "bends too much")]
    assert set(refused["verdict"]) <= {"not finite"}
    if strategy["method"] == "gauss-newton":
        assert found.reason == "diverged" or found.status.success
