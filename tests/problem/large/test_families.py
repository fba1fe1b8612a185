"""Families of residuals: what becomes of functions, data, weights and losses."""

from __future__ import annotations

import numpy as np
import pytest

import marquardt as mq
from marquardt import geometry
from marquardt.datasets.posegraph import planar_error, spatial_error
from marquardt.problem.large import items

from .test_problem import reference, run


def compiled_line(function, **options):
    rng = np.random.default_rng(0)
    problem = mq.Problem()
    p = problem.variables("p", rng.standard_normal((5, 2)))
    x, y = rng.standard_normal((2, 12))
    problem.residuals(function, p[rng.integers(0, 5, 12)], x, y, **options)
    return problem.compile(), x, y


def line(p, x, y):
    return p[0] * np.exp(x) + p[1] - y


def poses(n, seed, dimension):
    x = np.random.default_rng(seed).standard_normal((n, 7 if dimension == 3 else 3))
    return mq.manifolds.SE3.project(x) if dimension == 3 else x


@pytest.mark.parametrize("dimension", [2, 3])
def test_errors_of_poses_are_differentiated_by_their_tangents(dimension):
    error, manifold = (spatial_error, "SE3") if dimension == 3 else (planar_error, "SE2")
    rng = np.random.default_rng(3)
    problem = mq.Problem()
    pose = problem.variables("pose", poses(6, 0, dimension), manifold)
    i, j = np.array([0, 1, 2, 3, 4]), np.array([1, 2, 3, 4, 5])
    z = poses(5, 1, dimension)
    k = 6 if dimension == 3 else 3
    W = np.triu(rng.standard_normal((5, k, k)))
    problem.residuals(error, pose[i], pose[j], z, sqrt_information=W)
    compiled = problem.compile()
    (family,) = compiled.families
    assert family.derivative == "exact (traced)"
    r, J = reference(compiled, family, error, z)
    out = run(compiled, family, linear=True)
    assert np.allclose(out[:, :k], np.einsum("nij,nj->ni", W, r), rtol=0, atol=1e-12)
    assert np.allclose(out[:, k:].reshape(5, k, 2 * k), W @ J, rtol=0, atol=1e-7)


def test_weights_and_square_roots_of_information_multiply_residuals():
    plain, *_ = compiled_line(line)
    weighted, *_ = compiled_line(line, weight=np.arange(12.0), sqrt_information=[[3.0]])
    factors = 3.0 * np.sqrt(np.arange(12.0))[:, None]
    assert np.allclose(run(weighted, weighted.families[0]), factors * run(plain, plain.families[0]))
    assert weighted.families[0].sigma_known
    assert not plain.families[0].sigma_known


def test_one_information_for_all_items_is_no_column():
    W = np.broadcast_to([[2.0]], (12, 1, 1))
    compiled, *_ = compiled_line(line, sqrt_information=W)
    assert len(compiled.families[0].columns) == 2


def test_data_that_a_function_does_not_use_is_no_column():
    compiled, *_ = compiled_line(lambda p, x, y: p[0] - y)
    assert len(compiled.families[0].columns) == 1


def test_losses_are_handed_to_the_core():
    compiled, *_ = compiled_line(line, loss=mq.Huber(2.0))
    assert compiled.families[0].loss == ("huber", 2.0, None)
    compiled, *_ = compiled_line(line, loss="cauchy")
    assert compiled.families[0].loss == ("cauchy", 1.0, None)
    compiled, *_ = compiled_line(line, loss=mq.Barron(-2.0, 3.0))
    assert compiled.families[0].loss == ("barron", 3.0, -2.0)
    with pytest.raises(mq.OptionError, match="above 0"):
        mq.Huber(0.0)


def test_functions_of_arrays_of_items_are_traced_too():
    plain, *_ = compiled_line(line)
    arrays, *_ = compiled_line(lambda p, x, y: (p[:, 0] * np.exp(x) + p[:, 1] - y)[:, None])
    assert arrays.families[0].derivative == "exact (traced)"
    a, b = (run(c, c.families[0], linear=True) for c in (plain, arrays))
    assert np.array_equal(a, b)


def test_settings_are_the_same_for_all_items():
    def power(p, x, kind, degree):
        return p[0] * x**degree if kind == "odd" else p[1] + x

    problem = mq.Problem()
    p = problem.variables("p", [2.0, 3.0])
    problem.residuals(power, p, np.arange(4.0), "odd", 3)
    problem.residuals(power, p, np.arange(4.0), "even", 3)
    compiled = problem.compile()
    found = [run(compiled, f)[:, 0] for f in compiled.families]
    assert np.allclose(found[0], 2.0 * np.arange(4.0) ** 3)
    assert np.allclose(found[1], 3.0 + np.arange(4.0))


def test_one_variable_is_shared_by_all_items():
    problem = mq.Problem()
    p, q = problem.variables("p", [[2.0], [5.0]]), problem.variables("q", [3.0])
    problem.residuals(lambda p, q, x: p * x + q, p[1], q, np.arange(4.0))
    compiled = problem.compile()
    assert np.allclose(run(compiled, compiled.families[0])[:, 0], 5.0 * np.arange(4.0) + 3.0)


def test_dot_cross_norm_matmul_and_stacking_are_traced():
    def mixed(w, x, K):
        turned = geometry.matrix_of(w) @ x
        side = np.cross(w, x)
        pixel = K @ turned
        return np.hstack([pixel[:2] / pixel[2], np.linalg.norm(side), np.dot(w, x)])

    rng = np.random.default_rng(0)
    problem = mq.Problem()
    w, x = problem.variables("w", rng.standard_normal((3, 3))), problem.variables("x", rng.random((4, 3)) + 1)
    i, j = np.array([0, 1, 2, 0]), np.arange(4)
    K = rng.random((4, 3, 3)) + 2 * np.eye(3)
    problem.residuals(mixed, w[i], x[j], K)
    compiled = problem.compile()
    (family,) = compiled.families
    assert (family.rows, family.derivative) == (4, "exact (traced)")
    r, J = reference(compiled, family, mixed, K)
    out = run(compiled, family, linear=True)
    assert np.allclose(out[:, :4], r)
    assert np.allclose(out[:, 4:].reshape(4, 4, 6), J, rtol=1e-6, atol=1e-6)


def test_a_branch_on_values_is_called_back_and_the_line_is_told():
    def bent(p, x, y):
        if p[0] > 0:
            return p[0] * x - y
        return p[1] * x - y

    compiled, x, y = compiled_line(bent)
    (family,) = compiled.families
    assert family.derivative.startswith("finite differences: ")
    assert "line 2 of `bent`" in family.derivative
    assert "called item by item" in family.derivative
    r, J = reference(compiled, family, bent, x, y)
    values = [v.values for v in compiled.variables]
    assert np.allclose(family.callback.value(values), r)
    found = family.callback.linear(values)
    assert np.allclose(found[0], r)
    assert np.allclose(found[1], J, rtol=1e-6, atol=1e-8)


def test_where_needs_no_callback():
    compiled, *_ = compiled_line(lambda p, x, y: np.where(p[0] > 0, p[0], p[1]) * x - y)
    assert compiled.families[0].derivative == "exact (traced)"


def test_arrays_that_a_function_brings_along_are_constants():
    times, mixing = np.linspace(0.0, 1.0, 40), np.arange(6.0).reshape(2, 3)

    def decay(a, y):
        return a[0] * np.exp(-a[1] * times) + (mixing @ a).sum() - y * np.where(times > 0.5, times, 1.0)

    problem, y = mq.Problem(), np.array([1.0, 2.0, 3.0])
    a = problem.variables("a", np.random.default_rng(0).standard_normal((3, 3)))
    problem.residuals(decay, a, y)
    compiled = problem.compile()
    (family,) = compiled.families
    assert family.derivative == "exact (traced)"
    expected = [decay(a, y) for a, y in zip(compiled.variables[0].values, y, strict=True)]
    assert np.allclose(run(compiled, family), expected, rtol=1e-14, atol=1e-14)


def test_functions_of_arrays_are_called_once_for_all_items():
    calls = []

    def looked_up(p, x, y):
        calls.append(np.shape(p))
        exact = np.array([float(str(v)) for v in np.ravel(p[..., 0])]).reshape(np.shape(x))
        return exact * x - y

    compiled, *_ = compiled_line(looked_up)
    (family,) = compiled.families
    assert "item by item" not in family.derivative
    calls.clear()
    family.callback.value([v.values for v in compiled.variables])
    assert calls == [(12, 2)]


def test_three_items_of_three_components_are_not_mixed_up():
    def first(p, x):
        return float(str(p[0])) * x

    problem = mq.Problem()
    p = problem.variables("p", np.zeros((3, 3)))
    problem.residuals(first, p, np.arange(3.0))
    (family,) = problem.compile().families
    assert "item by item" in family.derivative
    values = np.arange(9.0).reshape(3, 3)
    assert family.callback.value([values])[:, 0].tolist() == [0.0, 3.0, 12.0]


def test_an_own_jacobian_is_used_and_brought_to_the_tangents():
    def jacobian(q, z):
        return np.broadcast_to(np.eye(4), (len(q), 4, 4))

    q = mq.manifolds.SO3.project(np.random.default_rng(0).standard_normal((3, 4)))
    problem = mq.Problem()
    turn = problem.variables("turn", q, "SO3")
    problem.residuals(
        lambda q, z: q - z, turn, np.zeros((3, 4)), jacobian=jacobian, sqrt_information=2 * np.eye(4)
    )
    compiled = problem.compile()
    (family,) = compiled.families
    assert family.derivative == "own Jacobian"
    r, J = reference(compiled, family, lambda q, z: q - z, np.zeros((3, 4)))
    found = family.callback.linear([q])
    assert np.allclose(found[0], 2 * r)
    assert np.allclose(found[1], 2 * J, atol=1e-8)


def test_a_wrong_jacobian_is_refused_with_the_place():
    def wrong(p, x, y):
        return np.stack([x, 2.0 * np.ones_like(x)], axis=-1)[:, None, :]

    with pytest.raises(mq.ModelError, match=r"item 0, residual 0, is 2 by component 1 .* by differences 1"):
        compiled_line(lambda p, x, y: p[0] * x + p[1] - y, jacobian=wrong)


def test_an_operation_without_a_kernel_keeps_its_exact_derivative():
    from scipy import special

    def quantile(p, x, y):
        return special.ndtri(0.5 + 0.1 * np.tanh(p[0] * x)) - y

    compiled, x, y = compiled_line(quantile)
    (family,) = compiled.families
    assert family.derivative.startswith("exact (traced), by NumPy")
    r, J = reference(compiled, family, quantile, x, y)
    values = [v.values for v in compiled.variables]
    found = family.callback.linear(values)
    assert np.allclose(family.callback.value(values), r)
    assert np.allclose(found[1], J, rtol=1e-6, atol=1e-8)


def test_a_function_with_a_memory_is_not_trusted():
    count = iter(range(10**6))
    compiled, *_ = compiled_line(lambda p, x, y: p[0] * x - y + next(count))
    assert compiled.families[0].derivative.startswith("finite differences")


def test_priors_are_residuals_of_their_own():
    mean = np.array([1.0, 2.0])
    problem = mq.Problem()
    p = problem.variables("p", np.zeros((3, 2)), prior=(mean, [[1.0, 2.0], [np.inf, np.inf], [np.inf, 4.0]]))
    problem.residuals(lambda p: p[0] * 0.0, p, name="nothing")
    compiled = problem.compile()
    prior = compiled.families[0]
    assert (prior.name, prior.n, prior.sigma_known) == ("prior of p", 2, True)
    assert prior.slots[0][1].tolist() == [0, 2]
    assert np.allclose(run(compiled, prior), [[-1.0, -1.0], [0.0, -0.5]])


def test_priors_of_poses_are_steps_from_the_mean():
    mean, x = poses(2, 0, 3)
    problem = mq.Problem()
    pose = problem.variables("pose", x, "SE3", prior=(mean, 0.1))
    problem.residuals(lambda p: p[0] * 0.0, pose, name="nothing")
    compiled = problem.compile()
    assert np.allclose(run(compiled, compiled.families[0])[0], 10 * mq.manifolds.SE3.local(mean, x))


def test_a_function_is_traced_once_for_any_number_of_problems(monkeypatch):
    calls = []
    real = items.trace_item
    monkeypatch.setattr(items, "trace_item", lambda *given: calls.append(given) or real(*given))

    def counted(p, x, y):
        return p[0] * x - y

    for n in (3, 3, 5):
        problem = mq.Problem()
        p = problem.variables("p", np.ones((n, 2)))
        problem.residuals(counted, p, np.ones(n), np.ones(n))
        problem.residuals(counted, p, np.zeros(n), np.ones(n))
        problem.compile()
    assert len(calls) == 1


def test_a_changed_constant_is_noticed():
    scale = {"k": 2.0}

    def scaled(p, x, y):
        return scale["k"] * p[0] * x - y

    def values():
        problem = mq.Problem()
        p = problem.variables("p", [[3.0]])
        problem.residuals(scaled, p, np.ones(1), np.zeros(1))
        compiled = problem.compile()
        return run(compiled, compiled.families[0])[0, 0]

    assert values() == 6.0
    scale["k"] = 5.0
    assert values() == 15.0


def test_a_problem_is_compiled_again_only_when_it_has_changed():
    problem = mq.Problem()
    p = problem.variables("p", np.ones((3, 2)))
    problem.residuals(line, p, np.ones(3), np.ones(3))
    first = problem.compile()
    assert problem.compile() is first
    problem.residuals(line, p, np.zeros(3), np.ones(3))
    assert len(problem.compile().families) == 2


def test_other_values_keep_the_structure():
    problem = mq.Problem()
    p = problem.variables("p", np.ones((3, 2)))
    problem.residuals(line, p, np.ones(3), np.ones(3))
    compiled = problem.compile()
    moved = compiled.with_values({"p": np.zeros((3, 2))})
    assert moved.structure is compiled.structure
    assert not moved.values["p"].any()
    assert compiled.values["p"].all()
    with pytest.raises(mq.ParameterError, match=r"have shape \(3, 2\), the values given \(2, 2\)"):
        compiled.with_values({"p": np.zeros((2, 2))})
    with pytest.raises(mq.ParameterError, match="did you mean 'p'"):
        compiled.with_values({"P": np.zeros((3, 2))})
