"""What must hold for any step: of every rule alone, on random linear models, and of the loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from scipy.optimize import minimize as scipy_minimize

from marquardt.errors import OptionError
from marquardt.options import WITH_RADIUS, Options
from marquardt.solve import reference, reference_methods, reference_step
from marquardt.solve.reference_methods import METHODS, cauchy, damped, dogleg, whole

from .jets import Exact
from .support import in_core, in_numpy

T = np.linspace(0, 4, 20)
NOISY = 5 * np.exp(-1.3 * T) + 1 + 0.05 * np.sin(17 * T)
both = pytest.mark.parametrize("code", [in_core, in_numpy])


def decay(b):
    return b[0] * np.exp(-b[1] * T) + b[2] - NOISY


# ------------------------------------------------------------------ the rules, on random J, r, D


class Linear:
    """Residuals r + J v with scaling D, and their diagonalized model of rss."""

    def __init__(self, J, r, D):
        self.J, self.r, self.D, n = J, r, D, D.size
        free = np.full(n, np.inf)
        problem = reference.Problem(lambda v: r + J @ v, lambda v: J)
        loop = reference.Loop(problem, reference.Box(-free, free), Options())
        self.point = loop.linearize(np.zeros(n), r)
        self.model = reference_step.gauss_newton(self.point, D, np.arange(n), np.zeros(n))

    def step(self, rule, limit):
        """The step v of a rule, and its damping."""
        t, damping = rule(self.model, limit)
        return self.model.V @ t / self.D, damping

    def longest(self, radius):
        """The damped step with |D v| = radius."""
        w = self.model.w
        outside = lambda e: np.linalg.norm(self.D * self.step(damped, 10.0**e)[0]) - radius  # noqa: E731
        low, high = np.log10(np.min(w)) - 12, np.log10(np.linalg.norm(self.model.c) / radius) + 1
        return self.step(damped, 10.0 ** brentq(outside, low, high))[0]

    def rss(self, v):
        return float(np.sum((self.r + self.J @ v) ** 2))

    @property
    def gauss_newton(self):
        return np.linalg.lstsq(self.J, -self.r, rcond=None)[0]

    @property
    def size(self):
        """|D v| of the Gauss-Newton step."""
        return float(np.linalg.norm(self.D * self.gauss_newton))


@st.composite
def linear(draw):
    """Random J of any shape with m >= n and condition up to 1e4, random r, D over six decades."""
    n = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    m = n + draw(st.integers(0, 12))
    decades = draw(st.floats(0, 2))
    J = rng.normal(size=(m, n)) * 10.0 ** rng.uniform(-decades, decades, size=n)
    return Linear(J, rng.normal(size=m), 10.0 ** rng.uniform(-3, 3, size=n))


dampings = st.floats(-6, 6).map(lambda e: 10.0**e)
parts = st.floats(1e-3, 0.9)
plenty = settings(max_examples=60, deadline=None)


def close(a, b, problem, tolerance=1e-8):
    """Equal as steps: in the norm of D."""
    a, b = problem.D * a, problem.D * b
    condition = np.linalg.cond(problem.J / problem.D)
    room = tolerance + 1e-15 * condition**2
    return np.linalg.norm(a - b) <= room * max(np.linalg.norm(a), np.linalg.norm(b))


@plenty
@given(linear())
def test_without_damping_the_step_is_gauss_newtons(problem):
    assert close(problem.step(whole, np.nan)[0], problem.gauss_newton, problem)
    smallest = float(np.min(problem.model.w))
    assert close(problem.step(damped, 1e-10 * smallest)[0], problem.gauss_newton, problem)
    assert close(problem.step(damped, 0.0)[0], problem.gauss_newton, problem)


@plenty
@given(linear())
def test_with_ever_more_damping_the_step_turns_to_the_scaled_steepest_descent(problem):
    steepest = -(problem.J.T @ problem.r) / problem.D**2
    damping = 1e10 * float(np.max(problem.model.w))
    assert close(damping * problem.step(damped, damping)[0], steepest, problem)


@plenty
@given(linear(), dampings)
def test_the_damped_step_is_the_least_squares_solution_of_the_augmented_system(problem, damping):
    damping *= float(np.median(problem.model.w))
    A = np.vstack([problem.J, np.sqrt(damping) * np.diag(problem.D)])
    b = np.concatenate([-problem.r, np.zeros(problem.D.size)])
    scaled = np.linalg.lstsq(A / problem.D, b, rcond=None)[0]  # in the units of D: better conditioned
    assert close(problem.step(damped, damping)[0], scaled / problem.D, problem)


@plenty
@given(linear(), dampings)
def test_the_damped_step_is_the_ridge_regression_of_minus_r_on_the_scaled_columns(problem, damping):
    damping *= float(np.median(problem.model.w))
    A, m = problem.J / problem.D, problem.r.size
    dual = -A.T @ np.linalg.solve(A @ A.T + damping * np.eye(m), problem.r)  # the m by m form of ridge
    condition = 1 + float(np.max(problem.model.w)) / damping
    assert close(problem.step(damped, damping)[0], dual / problem.D, problem, 1e-8 + 1e-14 * condition)


@plenty
@given(linear(), dampings, st.integers(0, 2**32 - 1))
def test_no_point_of_its_region_has_a_lower_model_than_the_damped_step(problem, damping, seed):
    v, damping = problem.step(damped, damping * float(np.median(problem.model.w)))
    radius, lowest = np.linalg.norm(problem.D * v), problem.rss(v)
    directions = np.random.default_rng(seed).normal(size=(200, problem.D.size))
    for u in directions / np.linalg.norm(directions, axis=1)[:, None]:
        for length in (radius, 0.5 * radius):
            assert problem.rss(length * u / problem.D) >= lowest * (1 - 1e-12)
        # and nearby, where a mistake of the multiplier would show
        near = problem.D * v + 1e-3 * radius * u
        near *= min(1.0, radius / np.linalg.norm(near))
        assert problem.rss(near / problem.D) >= lowest * (1 - 1e-12)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_solver_for_constrained_problems_finds_the_damped_step_in_its_region(seed, part):
    rng = np.random.default_rng(seed)
    J, r, D = rng.normal(size=(8, 3)), rng.normal(size=8), 10.0 ** rng.uniform(-0.5, 0.5, size=3)
    problem = Linear(J, r, D)
    v, _ = problem.step(damped, part * float(np.median(problem.model.w)))
    radius = float(np.linalg.norm(D * v))
    inside = {
        "type": "ineq",
        "fun": lambda u: radius**2 - np.sum((D * u) ** 2),
        "jac": lambda u: -2 * D**2 * u,
    }
    found = scipy_minimize(
        lambda u: 0.5 * np.sum((r + J @ u) ** 2), np.zeros(3), jac=lambda u: J.T @ (r + J @ u),
        method="SLSQP", constraints=inside, options={"ftol": 1e-15, "maxiter": 300},
    )  # fmt: skip
    np.testing.assert_allclose(v, found.x, rtol=1e-5, atol=1e-6 * radius)


@plenty
@given(linear(), dampings, st.floats(1.001, 100))
def test_the_step_gets_shorter_and_the_model_rises_with_the_damping(problem, damping, factor):
    damping *= float(np.median(problem.model.w))
    (less, _), (more, _) = problem.step(damped, damping), problem.step(damped, factor * damping)
    assert np.linalg.norm(problem.D * more) < np.linalg.norm(problem.D * less)
    assert problem.rss(more) >= problem.rss(less) * (1 - 1e-12)


@plenty
@given(linear(), parts)
def test_the_region_step_is_a_damped_step_at_its_border(problem, part):
    v, damping = problem.step(reference.Spectrum.within, part * problem.size)
    assert abs(np.linalg.norm(problem.D * v) / (part * problem.size) - 1) <= 0.1 + 1e-9
    assert close(v, problem.step(damped, damping)[0], problem)
    inside, none = problem.step(reference.Spectrum.within, problem.size)
    assert none == 0 and close(inside, problem.gauss_newton, problem)


@plenty
@given(linear())
def test_the_cauchy_step_minimizes_the_model_along_the_scaled_gradient(problem):
    v, _ = problem.step(cauchy, 1.0)
    steepest = -(problem.J.T @ problem.r) / problem.D**2
    assert close(v / np.linalg.norm(problem.D * v), steepest / np.linalg.norm(problem.D * steepest), problem)
    best = minimize_scalar(lambda s: problem.rss(s * v), bracket=(0.5, 1.5), tol=1e-12).x
    assert abs(best - 1) < 1e-5
    assert abs((problem.r + problem.J @ v) @ (problem.J @ v)) <= 1e-8 * np.sum((problem.J @ v) ** 2)


@plenty
@given(linear(), parts)
def test_a_part_of_the_cauchy_step_is_that_part(problem, part):
    assert close(problem.step(cauchy, part)[0], part * problem.step(cauchy, 1.0)[0], problem, 1e-14)


@plenty
@given(linear(), parts, st.floats(1.001, 3))
def test_the_dogleg_lies_in_the_region_between_cauchy_and_gauss_newton(problem, part, factor):
    radius = part * problem.size
    v, _ = problem.step(dogleg, radius)
    size, first = np.linalg.norm(problem.D * v), problem.step(cauchy, 1.0)[0]
    assert abs(size / radius - 1) < 1e-9  # at the border, as the model falls along the whole path
    if size <= np.linalg.norm(problem.D * first) * (1 - 1e-9):
        assert close(v / size, first / np.linalg.norm(problem.D * first), problem)
    else:
        leg, way = problem.D * (problem.gauss_newton - first), problem.D * (v - first)
        assert leg @ way >= (1 - 1e-6) * np.linalg.norm(leg) * np.linalg.norm(way) - 1e-9 * size**2
    wider, _ = problem.step(dogleg, factor * radius)
    assert problem.rss(wider) <= problem.rss(v) * (1 + 1e-12)
    assert problem.rss(problem.longest(radius)) <= problem.rss(v) * (1 + 1e-9)


@plenty
@given(linear())
def test_the_dogleg_of_a_wide_region_ends_at_gauss_newtons_step(problem):
    assert close(problem.step(dogleg, 1.001 * problem.size)[0], problem.gauss_newton, problem)


@plenty
@given(linear(), parts, st.sampled_from(sorted(METHODS)))
def test_the_predicted_reduction_of_every_method_is_the_linear_models(problem, part, method):
    rule = METHODS[method].rule
    limits = {cauchy: part, damped: part * float(np.median(problem.model.w)), whole: np.inf}
    limit = limits.get(rule.step, part * problem.size)
    box = reference.Box(*np.array([[-np.inf], [np.inf]]) * np.ones(problem.D.size))
    problem.point.model = problem.model
    trial = reference.propose(problem.point, problem.D, None, rule, limit, box)
    linear_reduction = float(problem.r @ problem.r) - problem.rss(trial.v)
    assert np.isclose(trial.predicted, linear_reduction, rtol=1e-7, atol=1e-11 * (problem.r @ problem.r))
    assert np.isclose(trial.slope, problem.r @ problem.J @ trial.v, rtol=1e-7)
    assert np.isclose(reference.reduction(problem.point, trial.v, None), linear_reduction, rtol=1e-7,
                      atol=1e-11 * (problem.r @ problem.r))  # fmt: skip


class Residuals:
    """r + J x as a problem for the core."""

    def __init__(self, problem, x):
        self.J, self.r = problem.J, problem.r - problem.J @ x

    def residuals(self, x):
        return self.r + self.J @ x

    def jacobian(self, x):
        return self.J

    def f_vv(self, x, v):
        return np.zeros(self.r.size)

    def hessian(self, x, f):
        return np.zeros((x.size, x.size))


@plenty
@given(
    problem=linear(),
    method=st.sampled_from(sorted(METHODS)),
    scaling=st.sampled_from(["identity", "columns", "magnitude", "mix"]),
    factor=st.floats(-3, 3).map(lambda e: 10.0**e),
)
def test_the_first_step_of_the_core_is_the_rules_on_any_linear_model(problem, method, scaling, factor):
    x = 1 + np.arange(problem.D.size)
    radius_factor = factor if method in WITH_RADIUS else None
    options = Options(method=method, scaling=scaling, radius_factor=radius_factor, max_evaluations=2)
    rows = in_core(Residuals(problem, x), x, options=options).rows
    row, D = rows[0], rows.scales[0]
    same = Linear(problem.J, problem.r, D)
    limit = row["damping"] if method in ("levenberg", "marquardt") else row["radius"]
    limit = {"gauss-newton": np.inf, "gradient-descent": 1.0}.get(method, limit)
    v, damping = same.step(METHODS[method].rule.step, limit)
    assert close(row["x"] - x, v, same, 1e-7 + 1e-14 * np.linalg.norm(D * x) / np.linalg.norm(D * v))
    assert np.isclose(row["damping"], damping, rtol=1e-6)
    assert np.isclose(row["step"], np.linalg.norm(D * v), rtol=1e-7)
    linear_reduction = 0.5 * (same.rss(np.zeros(x.size)) - same.rss(v))
    assert np.isclose(row["predicted"], linear_reduction, rtol=1e-7, atol=1e-11 * (problem.r @ problem.r))
    assert np.isclose(row["actual"], row["predicted"], rtol=1e-6, atol=1e-10 * (problem.r @ problem.r))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
def test_an_indefinite_model_is_minimized_on_the_border(seed, radius):
    rng = np.random.default_rng(seed)
    w, c = np.sort(rng.normal(size=4)) - 0.5, rng.normal(size=4)
    model = reference.Spectrum(w, c, np.eye(4), np.arange(4))
    t, damping = model.within(radius)
    value = 2 * c @ t + w @ t**2
    assert damping >= max(0, -w[0]) * (1 - 1e-9) and np.linalg.norm(t) <= 1.1 * radius * (1 + 1e-9)
    for other in rng.normal(size=(200, 4)):
        s = other * (min(radius, np.linalg.norm(t)) / np.linalg.norm(other))
        assert value <= 2 * c @ s + w @ s**2 + 1e-9 * abs(value)


# ------------------------------------------------------------------ the controls


judged = st.builds(
    reference_methods.Judged,
    gain=st.floats(-1e3, 5), actual=st.just(0.0), live=st.just(1.0), size=st.floats(0.01, 2),
    slope=st.floats(-2, -1e-3), damping=st.sampled_from([0.0, 0.3]),
)  # fmt: skip
controls = [
    reference_methods.Radius(),
    reference_methods.Backtracking(),
    *reference_methods.DAMPINGS.values(),
]


@pytest.mark.parametrize("control", controls, ids=lambda c: f"{type(c).__name__}-{getattr(c, 'up', '')}")
@plenty
@given(judged)
def test_a_refused_trial_always_tightens_the_limit_and_a_good_one_never_does(control, j):
    j = j._replace(actual=0.5 * j.gain)
    control = control.started(1.0, 1.0)
    wider = control.judged(j).limit / control.limit
    if isinstance(control, (reference_methods.Nielsen, reference_methods.Factors)):
        wider = 1 / wider  # the limit is a damping
    if not control.accepts(j.gain, j.actual):
        assert wider < 1
    elif j.gain >= 0.75 and j.size >= 0.5:
        assert wider >= 1


@plenty
@given(st.floats(1e-3, 1.5))
def test_nielsens_damping_follows_its_formula_downwards_and_doubles_ever_faster_upwards(gain):
    control = reference_methods.Nielsen().started(1.0, 1.0)
    good = reference_methods.Judged(gain, 1.0, 1.0, 1.0, -1.0, 0.1)
    assert np.isclose(control.judged(good).limit, 1e-3 * max(1 / 3, 1 - (2 * gain - 1) ** 3), rtol=1e-12)
    bad, limits = good._replace(gain=-1.0, actual=-1.0), []
    for _ in range(4):
        control = control.judged(bad)
        limits.append(control.limit)
    np.testing.assert_allclose(limits, 1e-3 * np.array([2.0, 8.0, 64.0, 1024.0]))


# ------------------------------------------------------------------ the loop


@settings(max_examples=20, deadline=None)
@given(st.integers(-40, 40), st.integers(-40, 40), st.integers(-40, 40))
def test_units_that_are_powers_of_two_give_the_same_bits_in_the_core(i, j, k):
    a, b, r = 2.0**i, 2.0**j, 2.0**k
    plain = in_core(Exact(decay), [1, 1, 0.5])
    scaled = in_core(Exact(lambda p: r * decay([a * p[0], b * p[1], p[2]])), [1 / a, 1 / b, 0.5])
    assert np.array_equal(scaled.x * [a, b, 1], plain.x)
    assert np.array_equal(scaled.costs / r**2, plain.costs)


@both
def test_the_order_of_the_rows_does_not_matter(code):
    order = np.random.default_rng(0).permutation(T.size)
    plain, shuffled = code(Exact(decay), [1, 1, 0.5]), code(Exact(lambda b: decay(b)[order]), [1, 1, 0.5])
    np.testing.assert_allclose(shuffled.x, plain.x, rtol=1e-12)


@both
def test_every_accepted_cost_before_the_polish_is_lower(code):
    costs = code(Exact(decay), [1, 1, 0.5], options=Options(polish=False)).costs
    assert np.all(np.diff(costs) < 0)


@both
def test_the_budget_of_jacobians_is_kept(code):
    end = code(Exact(decay), [1, 1, 0.5], options=Options(max_evaluations=3))
    assert end.njev == 3 and end.status.name == "MAX_EVALUATIONS"


@both
@pytest.mark.parametrize(
    "change", [{"acceleration": False}, {"newton": False}, {"scaling": "mix"}, {"polish": False}]
)
def test_every_choice_of_method_reaches_the_same_minimum(code, change):
    plain, other = code(Exact(decay), [1, 1, 0.5]), code(Exact(decay), [1, 1, 0.5], options=Options(**change))
    np.testing.assert_allclose(other.x, plain.x, rtol=1e-6)
    assert other.status.success or change == {
        "polish": False
    }  # the cost alone cannot certify the last digits


@pytest.mark.parametrize(
    "bad",
    [{"tolerance": 0}, {"tolerance": np.nan}, {"max_evaluations": 0}, {"max_evaluations": 1.5}, {"polish": 1},
     {"scaling": "none"}, {"radius_factor": -1.0}, {"threads": True}, {"method": "simplex"},
     {"damping": "nielsen"}, {"damping": "brown", "method": "marquardt"}, {"acceleration": 1},
     {"damping": "classic", "method": "more"}, {"acceleration": True, "method": "dogleg"}],
)  # fmt: skip
def test_an_impossible_option_is_named(bad):
    with pytest.raises(OptionError, match=next(iter(bad))):
        Options(**bad)
