"""`solve`: where it ends, why, and what it says about that."""

import _thread
import signal
from functools import cache

import numpy as np
import pytest
from scipy.optimize import least_squares

import marquardt as mq
from marquardt.datasets import scenes
from marquardt.problem.losses import FLOOR
from marquardt.solve.large import loop
from marquardt.solve.large.loop import LEAST_GAIN
from marquardt.solve.large.point import SAFE, Task
from marquardt.solve.large.settings import SolveOptions

from . import support

X = np.linspace(0.0, 4.0, 30)
Y = 5.0 * np.exp(-1.3 * X) + 1.0 + 0.05 * np.sin(17.0 * X)
METHODS = ["lm", "dogleg", "gauss-newton"]


def by_scipy(compiled, **options):
    """The lowest cost by SciPy, over all variables in one row; Euclidean variables only."""
    sizes = [v.values.size for v in compiled.variables]
    shapes = [v.values.shape for v in compiled.variables]

    def residuals(row):
        values = [p.reshape(s) for p, s in zip(np.split(row, np.cumsum(sizes)[:-1]), shapes, strict=True)]
        return np.concatenate([f.callback.value(values).ravel() for f in compiled.families])

    start = np.concatenate([v.values.ravel() for v in compiled.variables])
    return least_squares(residuals, start, xtol=1e-15, ftol=1e-15, gtol=1e-15, **options)


@cache
def scene_cost():
    return by_scipy(support.scene()[2]).cost


# ------------------------------------------------------------------------------------------ where it ends


@pytest.mark.parametrize("method", METHODS)
def test_a_curve_ends_where_scipy_ends(method):
    compiled = support.curve(X, Y, [4.0, 1.0, 0.5])
    result, known = mq.solve(compiled, method=method), by_scipy(compiled)
    assert result.success and result.cost == pytest.approx(known.cost, rel=1e-9)
    assert result["p"][0] == pytest.approx(known.x, rel=1e-6)


@pytest.mark.parametrize(
    ("method", "eliminate"),
    [("lm", "auto"), ("lm", "point"), ("lm", "camera"), ("lm", None), ("dogleg", "auto")],
)
def test_bundle_adjustment_ends_at_one_cost_whatever_is_eliminated(method, eliminate):
    compiled = support.scene()[2]
    result = mq.solve(compiled, method=method, eliminate=eliminate, ftol=1e-10)
    assert result.cost == pytest.approx(scene_cost(), rel=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_a_pose_graph_ends_where_scipy_ends(method):
    compiled = support.grid()[2]
    result = mq.solve(compiled, method=method)
    assert result.success and result.cost == pytest.approx(by_scipy(compiled).cost, rel=1e-9)
    assert len(result.trace) <= 6


def test_fixed_and_free_gauge_have_one_cost():
    fixed, free = (mq.solve(support.grid(fixed=f)[2], ftol=1e-13) for f in (True, False))
    assert fixed.cost == pytest.approx(free.cost, rel=1e-10)
    assert np.array_equal(fixed["pose"][0], support.grid()[2].variables[0].values[0])


def test_steps_among_outliers_are_those_of_reweighted_squares():
    """By the curvature of the loss itself, with a floor, none of these came to an end in 150 steps."""
    for seed in (0, 1):
        spoiled, false = scenes.spoiled(scenes.street(12, 3000, seed=seed).start, seed=seed)
        result = mq.solve(spoiled.problem(loss=mq.Cauchy(1.0)), ftol=1e-6)
        assert result.success and len(result.trace) <= 40
        norms = result.residual_norms("reprojection")
        assert np.median(norms[~false]) < 1.0 and np.median(norms[false]) > 20.0


def test_the_curvature_of_the_loss_is_left_where_it_leads_uphill(monkeypatch):
    """Used from the first step on it does, and the end is that of the careful way all the same."""
    compiled = scenes.spoiled(scenes.street(12, 3000).start)[0].problem(loss=mq.Huber(1.0)).compile()
    careful = mq.solve(compiled, ftol=1e-9)
    loads = []
    load = Task.load

    def noted(task, point):
        loads.append(task.floor)
        return load(task, point)

    monkeypatch.setattr(Task, "load", noted)
    monkeypatch.setattr(loop, "NEAR", 1e9)
    eager = mq.solve(compiled, ftol=1e-9)
    left = [k for k in range(1, len(loads)) if loads[k - 1] == FLOOR and loads[k] == SAFE]
    assert loads[0] == SAFE and left and eager.success
    assert eager.cost == pytest.approx(careful.cost, rel=1e-3)


@pytest.mark.parametrize("loss", ["huber", "soft_l1", "cauchy"])
def test_losses_of_one_residual_are_those_of_scipy(loss):
    wild = Y.copy()
    wild[::7] += 3.0
    compiled = support.curve(X, wild, [4.0, 1.0, 0.5], loss=(loss, 0.1, None))
    known = by_scipy(compiled, loss=loss, f_scale=0.1)
    assert mq.solve(compiled, ftol=1e-12)["p"][0] == pytest.approx(known.x, rel=1e-5)


def test_bounds_end_on_the_bound_as_in_scipy():
    compiled = support.curve(X, Y, [4.0, 1.0, 1.5], lower=np.array([[0.0, 0.0, 1.2]]))
    result = mq.solve(compiled, ftol=1e-13)
    known = by_scipy(compiled, bounds=([0.0, 0.0, 1.2], np.inf))
    assert result.status is mq.Status.CONVERGED_AT_BOUND and result["p"][0, 2] == 1.2
    assert result["p"][0] == pytest.approx(known.x, rel=1e-6)


def test_a_start_outside_the_bounds_is_moved_inside():
    compiled = support.curve(X, Y, [4.0, 1.0, 0.5], upper=np.array([[np.inf, 0.8, np.inf]]))
    result = mq.solve(compiled)
    assert result["p"][0, 1] == 0.8 and result.success


def test_fixed_components_stay_bit_for_bit():
    compiled = support.scene()[2]
    compiled.variables[0].frozen[:, 6:] = True
    before = compiled.variables[0].values[:, 6:].copy()
    assert np.array_equal(mq.solve(compiled)["camera"][:, 6:], before)


def test_exact_data_end_at_zero():
    result = mq.solve(support.scene(noise=0.0)[2])
    assert result.success and result.cost < 1e-15 * result.initial_cost


def test_any_number_of_threads_gives_the_same_bits():
    one, two = (mq.solve(support.scene()[2], threads=n) for n in (1, 2))
    assert one.cost == two.cost and np.array_equal(one["camera"], two["camera"])


def test_a_compiled_problem_is_solved_again_from_another_start():
    compiled = support.curve(X, Y, [4.0, 1.0, 0.5])
    first = mq.solve(compiled)
    again = mq.solve(compiled, start=first.values)
    assert len(again.trace) <= 2 and again.cost == pytest.approx(first.cost, rel=1e-12)
    other = mq.solve(compiled, start={"p": [[3.0, 2.0, 0.0]]})
    assert other.initial_cost != first.initial_cost and other.cost == pytest.approx(first.cost, rel=1e-9)


# ----------------------------------------------------------------------------------------- how it ends


def test_the_message_holds_both_numbers():
    result = mq.solve(support.grid()[2], ftol=1e-6)
    assert result.message.startswith("converged: cost tolerance reached: relative change ")
    assert result.message.endswith("<= ftol = 1.0e-06")


def test_the_iteration_limit_is_told_and_no_success():
    result = mq.solve(support.scene()[2], max_iterations=2)
    assert result.status is mq.Status.MAX_ITERATIONS and not result.success and len(result.trace) == 2
    assert "2 steps >= max_iterations = 2" in result.message and "start=result.values" in result.advice[0]


def test_what_is_no_problem_is_refused():
    with pytest.raises(mq.OptionError, match="not function; least_squares"):
        mq.solve(lambda x: x - 1.0)


def test_what_a_problem_leaves_open_stands_in_the_report_of_its_solution():
    problem = mq.Problem()
    x = problem.variables("x", np.ones((4, 2)))
    problem.residuals(lambda x, y: x - y, x[[0, 1, 3]], np.zeros((3, 2)))
    result = mq.solve(problem)
    assert result.success and "- x[2] is in no residual: leave out or fix" in str(result).splitlines()
    assert "x[2] is in no residual" in result._repr_html_()


def test_no_iterations_evaluate_the_start():
    result = mq.solve(support.scene()[2], max_iterations=0)
    assert result.cost == result.initial_cost and len(result.trace) == 0


def test_the_time_limit_ends_after_the_step_under_way():
    result = mq.solve(support.scene()[2], max_time=1e-9, ftol=0.0)
    assert result.status is mq.Status.MAX_TIME and "max_time = 1e-09" in result.message


def test_a_callback_sees_the_best_point_and_may_stop():
    seen = []

    def watch(moment):
        seen.append(moment)
        return moment.iteration == 3

    result = mq.solve(support.scene()[2], callback=watch)
    assert result.status is mq.Status.INTERRUPTED and [m.iteration for m in seen] == [1, 2, 3]
    assert seen[-1].cost == result.cost and np.array_equal(seen[-1].values["camera"], result["camera"])


def test_ctrl_c_returns_the_best_point_so_far():
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        result = mq.solve(
            support.scene()[2], callback=lambda m: _thread.interrupt_main() if m.iteration == 2 else None
        )
    finally:
        signal.signal(signal.SIGINT, previous)
    assert result.status is mq.Status.INTERRUPTED and result.cost < result.initial_cost
    assert "the best point is returned" in result.message


def test_progress_is_a_line_for_each_step(capsys):
    result = mq.solve(support.grid()[2], progress=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(result.trace) and "gain" in lines[0]


def test_the_trace_has_what_happened():
    trace = mq.solve(support.scene(away=0.2, seed=3)[2]).trace
    good = trace[trace["accepted"]]
    assert np.all(good["gain_ratio"] > LEAST_GAIN) and np.all(np.diff(good["trial_cost"]) < 0)
    assert good["actual"] == pytest.approx(good["cost"] - good["trial_cost"])
    assert str(trace).count("\n") == len(trace)


def test_steps_that_cannot_be_evaluated_are_refused():
    def logarithm(p, y):
        with np.errstate(invalid="ignore"):
            return np.stack([np.log(p[:, 0]) - y, p[:, 1]], axis=1)

    variables = [support.Variables("p", [[50.0, 1.0]], mq.manifolds.Euclidean(2))]
    data = support.family("data", variables, logarithm, [("p", [0])], np.array([-1.0]))
    result = mq.solve(support.Compiled(variables, [data]), initial_damping=1e-10)
    assert "not finite" in result.trace["verdict"]
    assert result["p"][0, 0] == pytest.approx(np.exp(-1.0), rel=1e-6)


def test_a_start_that_is_not_finite_names_family_item_and_variables():
    compiled = support.scene()[2]
    compiled.variables[1].values[7] = np.nan
    item = int(np.argmax(compiled.families[0].slots[1][1] == 7))
    with pytest.raises(
        mq.DataError, match=rf"residual {item} of 'observations' .* point\[7\] = \[nan nan nan\]"
    ):
        mq.solve(compiled)


def test_options_that_make_no_sense_are_refused():
    compiled = support.scene()[2]
    for wrong in ({"method": "newton"}, {"ftol": -1}, {"max_time": 0}, {"solver": "qr"}, {"robust": "yes"}):
        with pytest.raises(mq.OptionError, match=next(iter(wrong))):
            mq.solve(compiled, **wrong)
    with pytest.raises(mq.OptionError, match="did you mean 'point'"):
        mq.solve(compiled, eliminate="points")
    with pytest.raises(mq.ParameterError, match="did you mean 'camera'"):
        mq.solve(compiled, start={"cameras": 0})
    with pytest.raises(mq.OptionError, match="joins two of them"):
        mq.solve(support.grid()[2], eliminate="pose")


def test_the_defaults_of_solve_are_those_of_its_options():
    import inspect

    given, options = inspect.signature(mq.solve).parameters, SolveOptions()
    for name in SolveOptions.__dataclass_fields__:
        assert given[name].default == getattr(options, name)


# ------------------------------------------------------------------------------------------ what it says


def test_the_result_tells_of_residuals_and_of_the_way():
    result = mq.solve(support.scene()[2])
    norms = result.residual_norms("observations")
    assert 0.5 * (norms**2).sum() == pytest.approx(result.cost)
    assert list(result.worst()) == list(np.argsort(-norms)[:5])
    assert result.percentiles()[100] == norms.max()
    for word in ("camera", "observations", "median |r|", "converged", "seconds"):
        assert word in str(result) and word in result._repr_html_()
    assert result.eliminated == "point" and "point eliminated, dense Cholesky" in str(result)
    told = result.to_dict()
    assert told["cost"] == result.cost and np.array_equal(told["values"]["point"], result["point"])
    assert result.nfev >= result.njev >= result.n_accepted > 0


def test_unknown_names_are_told_with_the_likely_one():
    result = mq.solve(support.scene()[2])
    with pytest.raises(mq.ParameterError, match="did you mean 'camera'"):
        result["cameras"]
    with pytest.raises(mq.ParameterError, match="did you mean 'observations'"):
        result.residual_norms("observation")


def test_a_result_stays_what_it_was_after_another_solution_of_the_same_problem():
    compiled = support.scene()[2]
    first = mq.solve(compiled)
    expected = first.covariance("camera", 0)
    fresh = mq.solve(compiled, max_iterations=1)
    assert fresh.certificate.gradient > 0
    assert first.covariance("camera", 0) == pytest.approx(expected, rel=1e-6)
