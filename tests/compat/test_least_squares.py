"""`least_squares` of the SciPy layer, held to SciPy's documentation."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from scipy.optimize import Bounds, OptimizeResult
from scipy.sparse import csr_array, issparse
from scipy.sparse.linalg import aslinearoperator

from marquardt.compat.scipy import least_squares

from .models import Counted, X, Y, decay, rosenbrock, rosenbrock_jacobian

METHODS = ("trf", "dogbox", "lm")
JACOBIANS = ("2-point", "3-point", "cs", rosenbrock_jacobian)
START = [-1.2, 1.0]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("jac", JACOBIANS, ids=str)
def test_every_method_and_jacobian_finds_the_minimum(method: str, jac: Any) -> None:
    for fun in (rosenbrock, rosenbrock_callable):
        result = least_squares(fun, START, jac=jac, method=method)
        assert result.success and np.allclose(result.x, 1.0, rtol=1e-6)


def rosenbrock_callable(x: Any) -> Any:
    return np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]]) if np.iscomplexobj(x) else OPAQUE(x)


OPAQUE = Counted(rosenbrock)


def test_result_has_the_fields_that_scipy_documents() -> None:
    ours = least_squares(rosenbrock, START)
    theirs = scipy.optimize.least_squares(rosenbrock, START)
    assert isinstance(ours, OptimizeResult)
    assert set(theirs) <= set(ours)
    for name, value in theirs.items():
        assert np.shape(ours[name]) == np.shape(value), name
        assert isinstance(ours[name], type(value)) or name == "success", name


def test_fields_agree_with_one_another() -> None:
    result = least_squares(lambda p: decay(X, *p) - Y, [1.0, 1.0])
    assert np.allclose(result.fun, decay(X, *result.x) - Y)
    assert math.isclose(result.cost, 0.5 * result.fun @ result.fun)
    assert np.allclose(result.grad, result.jac.T @ result.fun, atol=1e-12)
    assert result.optimality == np.abs(result.grad).max()


def test_args_and_kwargs_reach_the_function_and_the_jacobian() -> None:
    def fun(x: Any, a: float, b: float = 0.0) -> Any:
        return (x - a) ** 2 + (x - a) + b

    def jac(x: Any, a: float, b: float = 0.0) -> Any:
        return np.diag(2.0 * (x - a) + 1.0)

    for given in ("2-point", jac):
        result = least_squares(fun, 2.0, jac=given, args=(1.5,), kwargs={"b": 0.1})
        assert np.allclose(result.fun, (result.x - 1.5) ** 2 + (result.x - 1.5) + 0.1)
        assert result.cost < 1e-12


def test_one_residual_with_a_number_among_the_arguments_is_traced() -> None:
    result = least_squares(lambda x, a: (x - a) ** 2 + 5.0, 2.0, args=(3.0,))
    assert result.x == pytest.approx(3.0) and result.derivative == "exact (traced)"


@pytest.mark.parametrize("method", ("trf", "dogbox"))
@pytest.mark.parametrize("bounds", [([-2.0, 1.5], np.inf), Bounds([-2.0, 1.5], [np.inf, np.inf])], ids=str)
def test_a_bound_that_binds_is_active(method: str, bounds: Any) -> None:
    result = least_squares(rosenbrock, [-1.0, 2.0], bounds=bounds, method=method)
    assert result.active_mask.tolist() == [0, -1] and result.x[1] == 1.5
    assert result.optimality < 1e-6


def test_status_1_means_that_the_gradient_is_below_gtol() -> None:
    result = least_squares(rosenbrock, START)
    assert result.status == 1 and result.optimality < 1e-8


def test_status_2_means_that_a_step_can_lower_the_cost_by_less_than_ftol() -> None:
    big = 1e6 * Y  # the gradient depends on units: it is never below gtol here
    result = least_squares(lambda p: decay(X, *p) - big, [1e6, 1.0])
    assert result.status == 2 and result.optimality > 1e-8
    J, f = result.jac, result.fun
    promise = f @ f - np.sum((f - J @ np.linalg.lstsq(J, f, rcond=None)[0]) ** 2)
    assert promise < 1e-8 * (f @ f)


def test_status_0_and_no_success_at_the_limit_of_evaluations() -> None:
    for limit in (1, 3):
        counted = Counted(rosenbrock)
        result = least_squares(counted, START, jac=rosenbrock_jacobian, max_nfev=limit)
        assert (result.status, result.success) == (0, False)
        assert result.nfev == counted.calls == limit


def test_one_evaluation_returns_the_start_with_its_gradient() -> None:
    result = least_squares(rosenbrock, START, jac=rosenbrock_jacobian, max_nfev=1)
    assert result.x.tolist() == START
    assert np.array_equal(result.jac, rosenbrock_jacobian(np.array(START)))
    assert np.array_equal(result.grad, result.jac.T @ result.fun)


def test_a_larger_ftol_ends_after_a_step_that_gains_less_than_that() -> None:
    costs = []

    def callback(intermediate_result: OptimizeResult) -> None:
        costs.append(intermediate_result.cost)

    result = least_squares(lambda x: x**2 + 5.0, 2.0, ftol=0.1, callback=callback)
    assert (result.status, result.success) == (2, True)
    assert "the last step lowered the cost by" in result.message
    assert 1.0 - costs[-1] / costs[-2] < 0.1
    assert result.nfev < least_squares(lambda x: x**2 + 5.0, 2.0).nfev


def test_an_interrupt_is_the_callers() -> None:
    def callback(x: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        least_squares(rosenbrock, START, callback=callback)


def test_callback_named_for_it_gets_the_intermediate_result() -> None:
    seen: list[OptimizeResult] = []

    def callback(intermediate_result: OptimizeResult) -> None:
        seen.append(intermediate_result)

    result = least_squares(rosenbrock, START, callback=callback)
    assert [r.nit for r in seen] == list(range(1, len(seen) + 1))
    assert np.array_equal(seen[-1].x, result.x)
    assert all(r.cost == pytest.approx(0.5 * r.fun @ r.fun) for r in seen)
    assert all(a.cost >= b.cost for a, b in itertools.pairwise(seen))


@pytest.mark.parametrize("how", ["raises", "returns"])
def test_callback_stops_the_run_after_the_first_step(how: str) -> None:
    seen = []

    def callback(x: Any) -> bool:
        seen.append(x)
        if how == "raises":
            raise StopIteration
        return True

    result = least_squares(rosenbrock, START, callback=callback)
    assert (len(seen), result.status, result.success) == (1, -2, False)
    assert np.array_equal(result.x, seen[0])


def test_errors_of_a_callback_reach_the_caller() -> None:
    def callback(x: Any) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        least_squares(rosenbrock, START, callback=callback)


def test_lm_warns_that_it_calls_no_callback() -> None:
    with pytest.warns(UserWarning, match="callback"):
        least_squares(rosenbrock, START, method="lm", callback=lambda x: None)


def test_forward_differences_make_one_call_per_parameter_and_jacobian() -> None:
    counted = Counted(rosenbrock)
    result = least_squares(counted, START)
    n, at_trace, retaken = 2, 2, 1
    assert counted.calls <= result.nfev + n * result.njev + at_trace + retaken
    assert result.derivative.startswith("finite differences")


def test_a_callback_needs_no_more_calls_than_scipy() -> None:
    ours, theirs = Counted(lambda p: decay(X, *p) - Y), Counted(lambda p: decay(X, *p) - Y)
    least_squares(ours, [1.0, 1.0])
    scipy.optimize.least_squares(theirs, [1.0, 1.0])
    assert ours.calls <= 1.2 * theirs.calls


def test_differences_see_through_single_precision() -> None:
    def single(p: Any) -> Any:
        return (OPAQUE_LINE(p) - X).astype(np.float32)

    result = least_squares(single, [-1.0, -1.0])
    assert np.allclose(result.x, [0.0, 1.0], atol=1e-4)


OPAQUE_LINE = Counted(lambda p: p[0] + p[1] * X)


def test_diff_step_is_the_relative_step() -> None:
    steps = []

    def fun(x: Any) -> Any:
        steps.append(float(repr(float(x[0]))))
        return np.array([x[0] ** 2 - 2.0])

    least_squares(fun, 1.0, diff_step=0.25, max_nfev=1)
    assert 1.25 in steps


def test_a_parameter_that_passes_its_bound_is_never_asked_for() -> None:
    seen = []

    def fun(x: Any) -> Any:
        seen.append(float(repr(float(x[0]))))
        return np.array([seen[-1] + 1.0])

    for scheme in ("2-point", "3-point"):
        result = least_squares(fun, 0.9, jac=scheme, bounds=(0.0, 1.0))
        assert result.x == 0.0 and result.active_mask == [-1]
    assert min(seen) >= 0.0 and max(seen) <= 1.0


def test_a_linear_operator_is_handed_to_scipy() -> None:
    result = least_squares(rosenbrock, START, jac=lambda x: aslinearoperator(rosenbrock_jacobian(x)))
    assert result.solver == "scipy" and result.success and "the Jacobian is a" in result.message
    assert not isinstance(result.jac, np.ndarray)


@pytest.mark.parametrize(
    "arguments",
    [
        {"jac": lambda x: csr_array(rosenbrock_jacobian(x))},
        {"jac_sparsity": np.array([[1, 1], [1, 0]])},
        {"jac_sparsity": csr_array([[1, 1], [1, 0]]), "jac": "3-point", "loss": "huber", "f_scale": 10.0},
    ],
)
def test_a_sparse_jacobian_stays_sparse(arguments: dict[str, Any]) -> None:
    result = least_squares(rosenbrock, START, **arguments)
    assert result.solver == "marquardt" and result.success and issparse(result.jac)
    assert np.allclose(result.x, 1.0, atol=1e-6) and np.allclose(result.grad, 0.0, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"jac": "cs"}, "jac='cs'"),
        ({"loss": lambda z: np.stack([z, np.ones_like(z), np.zeros_like(z)])}, "a loss that is a function"),
        ({"tr_solver": "lsmr"}, "tr_solver='lsmr'"),
    ],
)
def test_what_the_sparse_minimizer_lacks_is_handed_to_scipy(arguments: dict[str, Any], reason: str) -> None:
    result = least_squares(rosenbrock, START, jac_sparsity=np.ones((2, 2)), **arguments)
    assert result.solver == "scipy" and reason in result.message


def test_the_sparse_minimizer_reports_to_a_callback_and_stops_when_told() -> None:
    seen = []

    def callback(intermediate_result: Any) -> bool:
        seen.append(intermediate_result.cost)
        return len(seen) == 3

    result = least_squares(rosenbrock, START, jac_sparsity=np.ones((2, 2)), callback=callback)
    assert result.status == -2 and len(seen) == 3 and seen == sorted(seen, reverse=True)
    assert least_squares(rosenbrock, START, jac_sparsity=np.ones((2, 2)), max_nfev=4).status == 0


def test_workers_evaluate_the_differences_of_a_function_that_is_called_back() -> None:
    used = []

    def workers(function: Any, points: Any) -> Any:
        points = list(points)
        used.append(len(points))
        return map(function, points)

    alone = least_squares(Counted(rosenbrock), START)
    together = least_squares(Counted(rosenbrock), START, workers=workers)
    assert used == [2] * together.njev
    assert np.array_equal(together.x, alone.x) and together.nfev == alone.nfev
    central = least_squares(Counted(rosenbrock), START, jac="3-point", workers=workers)
    assert central.solver == "scipy" and "workers" in central.message
    assert least_squares(rosenbrock, START, workers=workers).derivative == "exact (traced)"


def test_a_number_of_workers_is_a_pool_of_processes() -> None:
    assert np.array_equal(
        least_squares(OPAQUE, START, workers=2).x, least_squares(OPAQUE, START, workers=None).x
    )
    with pytest.raises(TypeError):
        least_squares(OPAQUE, START, workers="many")


def test_verbose_prints_the_end_and_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    least_squares(rosenbrock, START, verbose=0)
    assert capsys.readouterr().out == ""
    least_squares(rosenbrock, START, verbose=1)
    brief = capsys.readouterr().out
    least_squares(rosenbrock, START, verbose=2)
    assert "initial cost 1.2100e+01" in brief and len(capsys.readouterr().out) > len(brief)


def test_an_end_that_is_not_certified_is_said() -> None:
    result = least_squares(lambda p: 1.0 / (1.0 + np.exp(-p)), [0.0])  # ever less towards minus infinity
    assert not result.certified and "not certified: 'p[0]'" in result.message


def test_a_trial_point_that_the_function_refuses_is_avoided() -> None:
    def fun(x: Any) -> Any:
        value = float(repr(float(x[0])))
        if value <= 0.0:
            raise ValueError("negative")
        return np.array([math.log(value) + 5.0, value - 0.1])

    assert least_squares(fun, 3.0).success


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"method": "newton"}, ValueError, "`method`"),
        ({"jac": "4-point"}, ValueError, "`jac`"),
        ({"jac": None}, ValueError, "`jac`"),
        ({"loss": "hinge"}, ValueError, "`loss`"),
        ({"tr_solver": "best"}, ValueError, "`tr_solver`"),
        ({"verbose": 7}, ValueError, "`verbose`"),
        ({"max_nfev": 0}, ValueError, "`max_nfev`"),
        ({"x_scale": "auto"}, ValueError, "`x_scale`"),
        ({"x_scale": [1.0, -1.0]}, ValueError, "`x_scale`"),
        ({"x_scale": [1.0, 1.0, 1.0]}, ValueError, "Inconsistent shapes"),
        ({"bounds": (0.0, 1.0, 2.0)}, ValueError, "2 elements"),
        ({"bounds": (2.0, 1.0)}, ValueError, "strictly less"),
        ({"bounds": (0.0, 2.0)}, ValueError, "outside of provided bounds"),
        ({"bounds": ([0.0], [1.0, 2.0])}, ValueError, "Inconsistent shapes"),
        ({"bounds": (-3.0, 3.0), "method": "lm"}, ValueError, "bounds"),
        ({"loss": "huber", "method": "lm"}, ValueError, "linear"),
        ({"ftol": None, "xtol": None, "gtol": None}, ValueError, "At least one"),
        ({"gtol": None, "method": "lm"}, ValueError, "All tolerances"),
        ({"args": (1, 2)}, TypeError, "argument"),
        ({"kwargs": {"kaboom": 3}}, TypeError, "kaboom"),
        ({"jac": lambda x: np.ones((3, 2))}, ValueError, "shape"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        least_squares(rosenbrock, START, **given)


def test_start_and_residuals_must_be_real_vectors() -> None:
    with pytest.raises(ValueError, match="real"):
        least_squares(rosenbrock, [1.0 + 0j, 2.0])
    with pytest.raises(ValueError, match="1 dimension"):
        least_squares(rosenbrock, np.ones((2, 2)))
    with pytest.raises(ValueError, match="1-d"):
        least_squares(lambda x: np.array([x, x**2]), [1.0, 2.0])
    with pytest.raises(ValueError, match="not finite"):
        least_squares(lambda x: np.log(x), [-1.0])
    with pytest.raises(ValueError, match="less than the number"):
        least_squares(lambda x: x[:1], [1.0, 2.0], method="lm")
    with pytest.raises(TypeError, match="function"):
        least_squares(3, 1.0)  # type: ignore[arg-type]


def test_fewer_residuals_than_parameters_are_solved_by_trf() -> None:
    result = least_squares(lambda x: x[:1] - 3.0 + x[1:], [1.0, 5.0])
    assert result.success and result.cost < 1e-20


def test_a_tolerance_below_the_spacing_of_numbers_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="machine epsilon"):
        least_squares(rosenbrock, START, ftol=1e-20)


def test_the_start_is_not_changed() -> None:
    start = np.array(START)
    least_squares(rosenbrock, start)
    assert start.tolist() == START
