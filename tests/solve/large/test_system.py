"""The core's system is the reference's, number for number."""

from dataclasses import replace

import numpy as np
import pytest

import marquardt as mq
from marquardt import _core
from marquardt.problem.losses import FLOOR
from marquardt.solve.large.point import SAFE
from marquardt.solve.large.reference_system import ReferenceSystem
from marquardt.solve.large.system import analyze, make_system

from . import support


def traced_scene():
    """The scene as programs of the core, with a prior on the cameras."""
    compiled = support.scene()[2]
    (_, i), (_, j) = compiled.families[0].slots
    problem = mq.Problem()
    start = [v.values for v in compiled.variables]
    camera = problem.variables("camera", start[0], prior=(start[0], 0.1 * np.abs(start[0]) + 0.1))
    point = problem.variables("point", start[1])
    observed = compiled.families[0].callback.data[0]
    problem.residuals(support.reprojection, camera[i], point[j], observed, weight=2.0)
    return problem.compile()


def traced_poses():
    return support.spatial().compile()


def shared_lens():
    """Poses with one lens for all, so that blocks of a point's items meet in one variable, and others stand
    the other way round; a prior on the lens; some points seen twice by one camera."""
    _, _, compiled = support.scene()
    (_, i), (_, j) = compiled.families[0].slots
    cameras, points = (v.values for v in compiled.variables)
    problem = mq.Problem()
    lens = problem.variables("lens", cameras[0, 6:], prior=(cameras[0, 6:], [10.0, 0.1, 0.1]))
    pose = problem.variables("pose", cameras[:, :6])
    point = problem.variables("point", points)
    again = np.arange(0, len(i), 7)
    i, j = np.concatenate([i, i[again]]), np.concatenate([j, j[again]])
    observed = compiled.families[0].callback.data[0]
    observed = np.concatenate([observed, observed[again] + 0.5])

    def seen(pose, lens, point, observed):
        return mq.geometry.bal(lens, mq.geometry.rotate(pose[:3], point) + pose[3:]) - observed

    problem.residuals(seen, pose[i], lens, point[j], observed, loss=mq.Huber(2.0))
    return problem.compile()


CASES = {
    "traced scene": (traced_scene, 1),
    "traced spatial poses": (traced_poses, None),
    "one lens for all, points seen twice": (shared_lens, 2),
    "scene": (lambda: support.scene()[2], 1),
    "scene, nothing eliminated": (lambda: support.scene()[2], None),
    "grid": (lambda: support.grid()[2], None),
}


def flat(parts):
    return np.concatenate([np.asarray(p).ravel() for p in parts])


def close(a, b, tolerance=1e-10):
    a, b = flat(a), flat(b)
    return np.abs(a - b).max() <= tolerance * np.abs(b).max()


@pytest.fixture(params=CASES)
def pair(request):
    make, eliminated = CASES[request.param]
    compiled = make()
    values = [v.values for v in compiled.variables]
    return (
        compiled,
        values,
        make_system(compiled, eliminated, threads=2),
        ReferenceSystem(compiled, eliminated),
    )


def test_cost_gradient_and_diagonal_are_equal(pair):
    _, values, core, reference = pair
    assert core.cost(values) == pytest.approx(reference.cost(values), rel=1e-13)
    assert core.linearize(values) == pytest.approx(reference.linearize(values), rel=1e-13)
    assert close(core.gradient(), reference.gradient()) and close(core.diagonal(), reference.diagonal())


@pytest.mark.parametrize("lam", [1.0, 1e-3])
def test_steps_predictions_and_solutions_are_equal(pair, lam):
    compiled, values, core, reference = pair
    for system in (core, reference):
        system.linearize(values)
        assert system.factorize(lam)
    (a, predicted_a, _), (b, predicted_b, _) = core.step(), reference.step()
    assert close(a, b, 1e-9) and predicted_a == pytest.approx(predicted_b, rel=1e-10)
    assert core.curvature(b) == pytest.approx(reference.curvature(b), rel=1e-10)
    rng = np.random.default_rng(0)
    rhs = [rng.standard_normal((len(v.values), v.manifold.tangent)) for v in compiled.variables]
    assert close(core.solve(rhs), reference.solve(rhs), 1e-9)


def test_frozen_components_take_no_step_in_either(pair):
    compiled, values, core, reference = pair
    rng = np.random.default_rng(1)
    frozen = [rng.random((len(v.values), v.manifold.tangent)) < 0.3 for v in compiled.variables]
    steps = []
    for system in (core, reference):
        system.linearize(values)
        assert system.factorize(1e-2, frozen)
        steps.append(system.step())
    assert close(steps[0][0], steps[1][0], 1e-9) and steps[0][1] == pytest.approx(steps[1][1], rel=1e-10)
    assert not flat(steps[0][0])[flat(frozen)].any()


def test_blocks_of_the_inverse_are_equal(pair):
    compiled, values, core, reference = pair
    rng = np.random.default_rng(3)
    for frozen in (None, [rng.random((len(v.values), v.manifold.tangent)) < 0.2 for v in compiled.variables]):
        for system in (core, reference):
            system.linearize(values)
            assert system.factorize(1e-3, frozen)
        for k in range(len(compiled.variables)):
            assert close([core.inverse_diagonal(k)], [reference.inverse_diagonal(k)], 1e-9)


@pytest.mark.parametrize("floor", [FLOOR, SAFE])
@pytest.mark.parametrize("loss", [("huber", 0.5, None), ("cauchy", 0.5, None), ("barron", 0.5, -2.0)])
def test_losses_and_weights_are_equal(pair, loss, floor):
    compiled, values, *_ = pair
    compiled = replace(compiled, families=[replace(f, loss=loss) for f in compiled.families])
    eliminated = 1 if len(compiled.variables) > 1 else None
    core, reference = make_system(compiled, eliminated, threads=2), ReferenceSystem(compiled, eliminated)
    for system in (core, reference):
        system.set_weights(0, np.linspace(0.0, 2.0, compiled.families[0].n))
        system.set_floor(floor)
        system.linearize(values)
        assert system.factorize(1e-3)
    assert core.cost(values) == pytest.approx(reference.cost(values), rel=1e-13)
    assert close([core.squared_norms(values, 0)], [reference.squared_norms(values, 0)])
    assert close(core.gradient(), reference.gradient()) and close(core.step()[0], reference.step()[0], 1e-9)


def test_a_structure_serves_one_system():
    compiled = support.scene()[2]
    structure = analyze(compiled, 1)
    make_system(compiled, 1, structure=structure)
    with pytest.raises(ValueError, match="belongs to another system"):
        make_system(compiled, 1, structure=structure)
    with pytest.raises(ValueError, match="unknown linear solver 'lu'"):
        analyze(compiled, 1, "lu")
    with pytest.raises(ValueError, match="another number of families"):
        _core.System(analyze(compiled), [])


def test_the_predicted_reduction_is_that_of_the_linear_model(pair):
    _, values, core, _ = pair
    core.linearize(values)
    assert core.factorize(1e-2)
    step, predicted, _ = core.step()
    slope = flat(core.gradient()) @ flat(step)
    assert predicted == pytest.approx(-slope - 0.5 * core.curvature(step), rel=1e-8)


def test_the_gradient_of_a_loss_is_the_derivative_of_the_cost():
    compiled = support.scene()[2]
    compiled.families[0].loss = ("huber", 0.5, None)
    core, values = make_system(compiled, 1), [v.values for v in compiled.variables]
    core.linearize(values)
    rng = np.random.default_rng(2)
    way = [1e-6 * rng.standard_normal(x.shape) for x in values]
    up, down = (core.cost([x + s * d for x, d in zip(values, way, strict=True)]) for s in (1, -1))
    assert flat(core.gradient()) @ flat(way) == pytest.approx((up - down) / 2, rel=1e-5)


@pytest.mark.parametrize("solver", ["dense", "sparse", "pcg", "pcg-jacobi", "pcg-clusters"])
@pytest.mark.parametrize("case", ["traced scene", "one lens for all, points seen twice"])
def test_every_solver_solves_the_same_system(case, solver):
    make, eliminated = CASES[case]
    compiled = make()
    values = [v.values for v in compiled.variables]
    system = make_system(compiled, eliminated, solver, threads=2)
    other = ReferenceSystem(compiled, eliminated)
    rhs = [
        np.cos(np.arange(v.values.shape[0] * v.tangent)).reshape(len(v.values), -1)
        for v in compiled.variables
    ]
    for s in (system, other):
        s.linearize(values)
        assert s.factorize(1e-2)
    assert close(system.solve(rhs), other.solve(rhs), 1e-6 if solver.startswith("pcg") else 1e-9)
    assert system.info()["solver"] == solver


@pytest.mark.parametrize("solver", ["pcg", "pcg-jacobi", "pcg-clusters"])
def test_a_rough_step_is_predicted_by_the_model(solver):
    make, eliminated = CASES["traced scene"]
    compiled = make()
    values = [v.values for v in compiled.variables]
    system = make_system(compiled, eliminated, solver, threads=1)
    system.linearize(values)
    assert system.factorize(1e-3)
    deltas, predicted, inner = system.step()
    along = sum(float((g * d).sum()) for g, d in zip(system.gradient(), deltas, strict=True))
    assert inner > 0
    assert predicted > 0
    assert np.isclose(predicted, -along - 0.5 * system.curvature(deltas), rtol=1e-12)


@pytest.mark.parametrize("solver", ["dense", "sparse", "pcg", "pcg-clusters"])
def test_jobs_of_many_observations_give_the_same_bits_on_any_number_of_threads(solver):
    compiled = mq.datasets.scenes.street(60, 20_000).start.problem().compile()
    values = [v.values for v in compiled.variables]
    found = []
    for threads in (1, 2, 3):
        system = make_system(compiled, 1, solver, threads=threads)
        cost = system.linearize(values)
        assert system.factorize(1e-4)
        deltas, predicted, _ = system.step()
        bits = flat(
            [*system.gradient(), *deltas, [cost, predicted, system.cost(values), system.curvature(deltas)]]
        )
        found.append(bits)
    assert np.isfinite(found[0]).all()
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def choice(scene, threads=1):
    compiled = scene.start.problem().compile()
    return compiled, make_system(compiled, 1, "auto", threads)


def test_a_dense_collection_is_solved_by_conjugate_gradients_until_digits_are_wanted():
    compiled, system = choice(mq.datasets.scenes.collection(300, 60_000))
    values = [v.values for v in compiled.variables]
    system.linearize(values)
    assert system.info()["solver"] == "pcg"
    assert system.factorize(1e-4)
    rough, predicted, inner = system.step()
    assert 0 < inner < 20
    assert system.factorize(1e-4, None, True)
    assert system.info()["solver"] in ("dense", "sparse")
    exact, most, none = system.step()
    assert none == 0
    assert 0.8 * most < predicted <= most * (1 + 1e-12)
    assert not close(rough, exact)


def test_a_street_is_factored_at_once():
    assert choice(mq.datasets.scenes.street(300, 60_000))[1].info()["solver"] == "sparse"


def chain(n=2500, ties=20_000):
    """Numbers in a row, each one more than the last, and very weak ties between any two: dense, and hard for
    conjugate gradients, which carry what the ends know a link at a step."""
    rng = np.random.default_rng(0)
    links = np.arange(n - 1)
    ends = [links, links + 1], [rng.integers(n, size=ties), rng.integers(n, size=ties)]
    number = np.concatenate([ends[0][0], ends[0][1], ends[1][0], ends[1][1]])
    middle = np.concatenate([links, links, n - 1 + np.arange(ties), n - 1 + np.arange(ties)])
    step = np.concatenate([np.zeros(n - 1), np.ones(n - 1), np.zeros(2 * ties)])
    weight = np.concatenate([np.ones(2 * n - 2), np.full(2 * ties, 1e-14)])
    problem = mq.Problem()
    x = problem.variables("x", np.zeros((n, 1)))
    m = problem.variables("m", np.zeros((n - 1 + ties, 1)))
    problem.residuals(lambda x, m, step: x[0] - m[0] - step, x[number], m[middle], step, weight=weight)
    return problem.compile()


def test_conjugate_gradients_that_take_longer_than_a_factor_are_given_up():
    compiled = chain()
    values = [v.values for v in compiled.variables]
    system, factored = make_system(compiled, 1, "auto", 1), make_system(compiled, 1, "dense", 1)
    assert system.info()["solver"] == "pcg"
    for s in (system, factored):
        s.linearize(values)
        assert s.factorize(1e-9)
    deltas, predicted, inner = system.step()
    assert 10 < inner < 100
    assert system.info()["solver"] in ("dense", "sparse")
    expected, most, _ = factored.step()
    assert close(deltas, expected, 1e-6)
    assert predicted == pytest.approx(most, rel=1e-9)
