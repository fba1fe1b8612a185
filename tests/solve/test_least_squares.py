"""least_squares: SciPy's names with our verdicts; every argument is honored or refused."""

import numpy as np
import pytest

import marquardt as mq
from marquardt.errors import DataError, ModelError, OptionError, ParameterError, Status

T = np.linspace(0.0, 4.0, 20)
Y = 3.0 * np.exp(-0.7 * T) + 0.01 * np.sin(9.0 * T)


def rosenbrock(x):
    return np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])


def rosenbrock_jacobian(x):
    return np.array([[-20.0 * x[0], 10.0], [-1.0, 0.0]])


def decay(p, t, y):
    return p[0] * np.exp(-p[1] * t) - y


def decay_jacobian(p, t, y):
    e = np.exp(-p[1] * t)
    return np.stack([e, -p[0] * t * e], axis=1)


def opaque(x):
    """A function that no trace can follow."""
    import json

    x = np.array(json.loads(json.dumps([float(v) for v in x])))
    return rosenbrock(x)


def test_rosenbrock_is_certified_in_25_evaluations():
    result = mq.least_squares(rosenbrock, [-1.2, 1.0])
    assert result.status is Status.CONVERGED and result.nfev <= 25 and result.cost <= 1e-28
    assert result.derivative == "exact (traced)"


def test_the_fields_of_scipy_are_there_and_mean_the_same():
    scipy = pytest.importorskip("scipy.optimize")
    ours, theirs = (f(decay, [1.0, 1.0], args=(T, Y)) for f in (mq.least_squares, scipy.least_squares))
    for name in ("x", "cost", "fun"):
        np.testing.assert_allclose(getattr(ours, name), theirs[name], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(ours.jac, decay_jacobian(ours.x, T, Y), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ours.grad, ours.jac.T @ ours.fun, atol=1e-12)
    assert ours.active_mask.tolist() == [0, 0] and ours.success and ours.optimality < 1e-12


def test_the_covariance_is_that_of_the_same_curve_fit():
    result = mq.least_squares(decay, [1.0, 1.0], args=(T, Y))
    fit = mq.fit(lambda t, a, b: a * np.exp(-b * t), T, Y, start=[1.0, 1.0])
    np.testing.assert_allclose(result.covariance, fit.covariance, rtol=1e-9)
    assert result.params["x[1]"].interval() == pytest.approx(fit.params["b"].interval())


def test_a_second_call_does_not_trace_again_and_uses_the_new_data(monkeypatch):
    from marquardt.problem import model

    first = mq.least_squares(decay, [1.0, 1.0], args=(T, Y))
    monkeypatch.setattr(model, "trace", lambda *_: pytest.fail("traced again"))
    second = mq.least_squares(decay, [1.0, 1.0], args=(T, 2.0 * Y))
    np.testing.assert_allclose(second.x, first.x * [2.0, 1.0], rtol=1e-9)


def test_functions_words_and_integers_among_the_arguments_are_not_confused():
    def residuals(p, model, kind, power, t, y):
        return model(p, t) ** power * (2.0 if kind == "double" else 1.0) - y

    def hyperbola(p, t):
        return p[0] / (1.0 + p[1] * t)

    def exponential(p, t):
        return p[0] * np.exp(-p[1] * t)

    found = [
        mq.least_squares(residuals, [1.0, 1.0], args=(model, kind, power, T, Y)).x
        for model, kind, power in [
            (exponential, "single", 1),
            (exponential, "double", 1),
            (exponential, "single", 2),
            (hyperbola, "single", 1),
        ]
    ]
    np.testing.assert_allclose(found[1], found[0] * [0.5, 1.0], rtol=1e-8)
    np.testing.assert_allclose(found[2], [found[0][0] ** 0.5, found[0][1] / 2], rtol=1e-8)
    assert abs(found[3][1] - found[0][1]) > 0.01


def test_an_object_among_the_arguments_is_read_anew():
    class Settings:
        scale = 1.0

    def residuals(p, settings, t, y):
        return settings.scale * p[0] * np.exp(-p[1] * t) - y

    settings = Settings()
    first = mq.least_squares(residuals, [1.0, 1.0], args=(settings, T, Y))
    settings.scale = 2.0
    second = mq.least_squares(residuals, [1.0, 1.0], args=(settings, T, Y))
    np.testing.assert_allclose(second.x, first.x * [0.5, 1.0], rtol=1e-9)
    assert second.derivative == "exact (traced)"


def test_keywords_are_passed_on_and_read_anew():
    def shifted(x, by=0.0):
        return x - by

    assert mq.least_squares(shifted, [1.0], kwargs={"by": 3.0}).x == [3.0]
    assert mq.least_squares(shifted, [1.0], kwargs={"by": 5.0}).x == [5.0]


@pytest.mark.parametrize(
    "fun",
    [
        lambda *x: rosenbrock(x[0]),
        type("Callable", (), {"__call__": lambda self, x: rosenbrock(x)})(),
        type("Holder", (), {"method": lambda self, x: rosenbrock(x)})().method,
        __import__("functools").partial(lambda k, x: k * rosenbrock(x), 2.0),
        lambda x, /: rosenbrock(x),
        opaque,
    ],
    ids=["star", "object", "method", "partial", "positional", "untraceable"],
)
def test_any_callable_will_do(fun):
    result = mq.least_squares(fun, [-1.2, 1.0])
    assert result.success and np.allclose(result.x, 1.0, atol=1e-7)


def test_a_number_is_a_start_and_a_result():
    result = mq.least_squares(lambda x: x**2 - 2.0, 1.0)
    assert result.x == pytest.approx([2.0**0.5])


def test_residuals_of_any_shape_are_flattened():
    result = mq.least_squares(lambda x: np.reshape(x, (2, 2)) - np.eye(2), np.zeros(4))
    assert result.x.tolist() == [1.0, 0.0, 0.0, 1.0] and result.fun.shape == (4,)


# ------------------------------------------------------------------------------------------------- jacobian


def test_a_jacobian_that_is_right_is_used():
    result = mq.least_squares(decay, [1.0, 1.0], decay_jacobian, args=(T, Y))
    assert result.success and result.derivative.startswith("given")
    np.testing.assert_allclose(result.x, mq.least_squares(decay, [1.0, 1.0], args=(T, Y)).x, rtol=1e-8)


def test_a_jacobian_may_lie_in_memory_column_by_column():
    result = mq.least_squares(
        decay, [1.0, 1.0], lambda *a: np.asfortranarray(decay_jacobian(*a)), args=(T, Y)
    )
    plain = mq.least_squares(decay, [1.0, 1.0], decay_jacobian, args=(T, Y))
    assert np.array_equal(result.x, plain.x) and result.success


def test_a_sparse_jacobian_is_taken():
    sparse = pytest.importorskip("scipy.sparse")
    result = mq.least_squares(
        decay, [1.0, 1.0], lambda *a: sparse.csr_matrix(decay_jacobian(*a)), args=(T, Y)
    )
    assert result.success


@pytest.mark.parametrize("x0", [(-1.2, 1.0), (3.0, 4.0), (-12.0, 10.0), (0.5, 0.3), (7.0, -2.0)])
@pytest.mark.parametrize("jac", [rosenbrock_jacobian, "3-point"])
def test_vanishing_residuals_are_found_without_second_derivatives(x0, jac):
    """Differences of differences are noise there: steps that seem to bend must not be shortened for it."""
    result = mq.least_squares(rosenbrock, x0, jac)
    assert result.success and result.cost < 1e-28 and result.nfev + result.njev <= 25


@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize("factor", [-1.0, 2.0, 1.05, 0.0, 1.00001])
def test_a_wrong_column_is_named_at_the_start(column, factor):
    def wrong(*arguments):
        J = decay_jacobian(*arguments)
        J[:, column] *= factor
        return J

    with pytest.raises(ModelError, match=rf"wrong at the start: the column of x\[{column}\] disagrees.*row"):
        mq.least_squares(decay, [1.0, 1.0], wrong, args=(T, Y))


def test_one_wrong_entry_is_found():
    def wrong(*arguments):
        J = decay_jacobian(*arguments)
        J[7, 1] *= 1.5
        return J

    with pytest.raises(ModelError, match=r"x\[1\] disagrees with differences of the residuals \(row 7: "):
        mq.least_squares(decay, [1.0, 1.0], wrong, args=(T, Y))


def test_a_jacobian_that_becomes_wrong_on_the_way_is_no_success():
    def wrong(p, t, y):
        J = decay_jacobian(p, t, y)
        J[:, 1] *= 1.0 if abs(p[1] - 1.0) < 0.05 else 0.5
        return J

    result = mq.least_squares(decay, [1.0, 1.0], wrong, args=(T, Y))
    assert result.status is Status.STALLED and not result.success
    assert result.wrong_entries[0].column == 1 and "x[1]" in result.message


@pytest.mark.parametrize("size", [1e-12, 1e-9, 1e-7, 1e-5, 1e-3])
@pytest.mark.parametrize("seed", range(3))
def test_noisy_residuals_raise_no_false_alarm(size, seed):
    rng = np.random.default_rng(seed)
    t = np.linspace(0.0, 4.0, 1000)
    y = np.interp(t, T, Y)
    noisy = lambda p, t, y: decay(p, t, y) * (1.0 + size * rng.standard_normal(t.size))  # noqa: E731
    mq.least_squares(noisy, [1.0, 1.0], decay_jacobian, args=(t, y), max_nfev=5)


@pytest.mark.parametrize(
    ("fun", "jac", "x0"),
    [
        (lambda x: np.abs(x - [0.0, 1.0]), lambda x: np.diag(np.sign(x - [0.0, 1.0])), [0.0, 0.5]),
        (lambda x: np.maximum(x, 1.0), lambda x: np.diag((x > 1.0) * 1.0), [1.0, 2.0]),
        (lambda x: np.floor(10.0 * x), lambda x: 10.0 * np.eye(2), [0.55, 0.75]),
        (lambda x: np.round(x, 3), lambda x: np.eye(2), [0.5, 0.7]),
        (lambda x: np.sqrt(x), lambda x: np.diag(0.5 / np.sqrt(x)), [1e-9, 1.0]),
        (lambda x: np.log(x), lambda x: np.diag(1.0 / x), [1e-5, 1.0]),
        (lambda x: np.exp(40.0 * x), lambda x: np.diag(40.0 * np.exp(40.0 * x)), [1.0, -1.0]),
        (lambda x: x - 1e9, lambda x: np.eye(2), [1.0, 1e9]),
        (lambda x: 1e6 * np.sin(300 * x), lambda x: np.diag(3e8 * np.cos(300 * x)), [1.0, 2.0]),
    ],
    ids=["kink", "max", "floor", "round", "root", "log", "steep", "cancelling", "wiggly"],
)
def test_rough_and_steep_residuals_raise_no_false_alarm(fun, jac, x0):
    result = mq.least_squares(fun, x0, jac, bounds=(-10.0, 1e10), max_nfev=20)
    assert not result.wrong_entries


@pytest.mark.parametrize("x0", [[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
def test_starts_at_zero_and_at_bounds_raise_no_false_alarm(x0):
    for bounds in ((-np.inf, np.inf), ([0.0, 0.0], [1.0, 1.0]), (x0, np.inf)):
        result = mq.least_squares(decay, x0, decay_jacobian, bounds, args=(T, Y))
        assert not result.wrong_entries


def test_a_jacobian_of_the_wrong_shape_is_refused():
    with pytest.raises(ModelError, match=r"shape \(2, 20\): 20 residuals of 2 parameters need \(20, 2\)"):
        mq.least_squares(decay, [1.0, 1.0], lambda *a: decay_jacobian(*a).T, args=(T, Y))


def test_a_jacobian_that_is_not_finite_at_the_start_is_refused():
    with pytest.raises(ModelError, match=r"jac gives nan for row 0, x\[1\] at the start"):
        mq.least_squares(rosenbrock, [-1.2, 1.0], lambda x: rosenbrock_jacobian(x) * [1.0, np.nan])


def test_three_point_differences_can_be_asked_for_with_a_step():
    result = mq.least_squares(decay, [1.0, 1.0], "3-point", args=(T, Y), diff_step=1e-5)
    assert result.success and "asked for" in result.derivative
    with pytest.raises(OptionError, match="diff_step belongs to differences"):
        mq.least_squares(decay, [1.0, 1.0], args=(T, Y), diff_step=1e-5)


# --------------------------------------------------------------------------------------- the other arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "lm"}, "'lm' is one of SciPy's; here there are 'auto'.*'more' is the nearest"),
        ({"method": "trf"}, "here there are"),
        ({"method": "dogbox"}, "here there are"),
        ({"method": "simplex"}, "method = 'simplex': one of 'auto'"),
        ({"loss": "soft_l2"}, "there are 'linear', 'huber'"),
        ({"loss": lambda z: z}, "a loss is named"),
        ({"f_scale": 0.1}, "no effect with loss='linear'"),
        ({"xtol": 1e-8}, "does not prove a minimum"),
        ({"gtol": 1e-8}, "depends on units"),
        ({"ftol": -1.0}, "between 0 and 1"),
        ({"jac": "2-point"}, "'3-point'"),
        ({"jac": "cs"}, "'3-point'"),
        ({"tr_solver": "lsmr"}, "until sparse solving exists"),
        ({"tr_options": {"regularize": False}}, "no options"),
        ({"x_scale": [1.0, 10.0]}, "x_scale"),
        ({"max_nfev": 0}, "positive integer"),
        ({"damping": "classic"}, "no damping rule"),
    ],
)
def test_what_cannot_be_had_is_refused_with_a_sentence(arguments, message):
    with pytest.raises(OptionError, match=message):
        mq.least_squares(rosenbrock, [-1.2, 1.0], **arguments)


@pytest.mark.parametrize(
    ("x0", "bounds", "message"),
    [
        ([1.0, np.nan], None, r"x0\[1\] is nan"),
        ([[1.0, 2.0]], None, "shape"),
        (["one"], None, "real numbers"),
        ([], None, "one dimension"),
        ([1.0, 2.0], ([0.0, 0.0], [3.0, 1.0]), r"x0\[1\] = 2 is outside its bounds \[0, 1\]"),
        ([1.0, 2.0], ([0.0], [3.0, 1.0, 1.0]), r"upper bounds of shape \(3,\)"),
        ([1.0, 2.0], ([0.0, 3.0], [3.0, 1.0]), r"bounds of x\[1\], 3 and 1"),
        ([1.0, 2.0], (0.0,), "pair"),
    ],
)
def test_an_unusable_start_or_bound_is_named(x0, bounds, message):
    with pytest.raises(ParameterError, match=message):
        mq.least_squares(rosenbrock, x0, bounds=bounds)


def test_residuals_that_are_not_finite_at_the_start_are_named():
    with pytest.raises(DataError, match="residual 1 is"):
        mq.least_squares(lambda x: np.stack([x[0], np.log(x[1])]), [1.0, -1.0])


def test_bounds_are_taken_as_scipy_takes_them():
    scipy = pytest.importorskip("scipy.optimize")
    for bounds in (
        ([-2.0, -np.inf], 0.5),
        scipy.Bounds([-2.0, -np.inf], [0.5, 0.5]),
        ((-2, None), (0.5, 0.5)),
    ):
        result = mq.least_squares(rosenbrock, [-1.2, 0.5], bounds=bounds)
        assert result.status is Status.CONVERGED_AT_BOUND and result.x[0] == 0.5
        assert result.active_mask.tolist() == [1, 0] and "'x[0]' at its upper bound 0.5" in result.message


def test_the_limit_of_evaluations_counts_evaluations():
    result = mq.least_squares(rosenbrock, [-1.2, 1.0], max_nfev=3)
    assert result.status is Status.MAX_EVALUATIONS and result.nfev == 3
    assert "x0=result.x" in result.advice[0]


def test_a_callback_sees_the_progress_and_stops():
    seen = []
    result = mq.least_squares(
        rosenbrock, [-1.2, 1.0], callback=lambda p: seen.append(p.cost) or len(seen) > 2
    )
    assert result.status is Status.INTERRUPTED and len(seen) == 3

    def stop(progress):
        raise StopIteration

    assert mq.least_squares(rosenbrock, [-1.2, 1.0], callback=stop).status is Status.INTERRUPTED


def test_control_c_keeps_the_best_point():
    def interrupted(x):
        if abs(x[0]) < 0.5:  # on the way
            raise KeyboardInterrupt
        return opaque(x)

    result = mq.least_squares(interrupted, [-1.2, 1.0])
    assert result.status is Status.INTERRUPTED and result.cost <= 0.5 * (4.4**2 + 2.2**2)


def test_a_looser_tolerance_is_taken_from_ftol():
    assert mq.least_squares(rosenbrock, [-1.2, 1.0], ftol=1e-6).certificate.tolerance == pytest.approx(1e-3)


def test_a_sparsity_pattern_is_taken_for_a_small_problem_too():
    pytest.importorskip("scipy.sparse")
    result = mq.least_squares(rosenbrock, [-1.2, 1.0], jac_sparsity=[[1, 1], [1, 0]])
    assert result.success and np.allclose(result.x, 1.0)


def test_verbose_prints_report_and_log(capsys):
    mq.least_squares(rosenbrock, [-1.2, 1.0], verbose=2)
    shown = capsys.readouterr().out
    assert "converged" in shown and "x[1]" in shown and "go" in shown
    mq.least_squares(rosenbrock, [-1.2, 1.0])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("method", ["gauss-newton", "levenberg", "marquardt", "more", "dogleg", "newton"])
def test_every_method_can_be_chosen(method):
    result = mq.least_squares(rosenbrock, [-1.2, 1.0], method=method)
    assert result.success and np.allclose(result.x, 1.0)


@pytest.mark.parametrize("x_scale", ["jac", 1.0])
def test_the_scale_of_steps_can_be_chosen(x_scale):
    assert mq.least_squares(rosenbrock, [-1.2, 1.0], x_scale=x_scale).success


def test_hidden_state_is_noticed_at_the_end():
    state = [0.0]

    def counting(x):
        state[0] += 1e-3
        return x - np.array([1.0, 2.0]) - state[0]

    assert (
        "depends on something its arguments do not show" in mq.least_squares(counting, [0.0, 0.0]).derivative
    )


def test_fewer_residuals_than_unknowns_is_solved_and_called_not_unique():
    result = mq.least_squares(lambda x: x[:1] + x[1:] - 3.0, [1.0, 1.0])
    assert result.status is Status.NOT_UNIQUE and result.success and not result.unique
    assert result.cost < 1e-30 and np.isinf(result.stderr).all() | np.isnan(result.stderr).all()
