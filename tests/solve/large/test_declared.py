"""Problems as users declare them, solved."""

import gc
from weakref import ref

import numpy as np
import pytest

import marquardt as mq
from marquardt.errors import ModelError, OptionError
from marquardt.problem.losses import Loss
from marquardt.solve.large.clock import TimedSystem
from marquardt.solve.large.loop import minimize
from marquardt.solve.large.point import Task
from marquardt.solve.large.record import Recorder
from marquardt.solve.large.reference_system import ReferenceSystem
from marquardt.solve.large.settings import SolveOptions

from . import support


@pytest.mark.parametrize("method", ["lm", "dogleg", "gauss-newton"])
def test_spatial_poses_are_found_by_every_method(method):
    result = mq.solve(support.spatial(), method=method)
    assert result.success and 0.5 < result.reduced_chi2 < 1.6 and len(result.trace) <= 8
    assert np.linalg.norm(result["pose"][:, 3:], axis=1) == pytest.approx(1.0, abs=1e-14)
    assert result.certificate.sentences == ("gauge freedom of 6: as expected for a pose graph",)


def test_the_core_takes_the_same_way_as_the_reference():
    compiled = support.spatial().compile()
    ours = mq.solve(compiled)
    task = Task.of(compiled, TimedSystem(ReferenceSystem(compiled)), None)
    recorder = Recorder(lambda: 0.0, False)
    values = [v.values for v in compiled.variables]
    end = minimize(task, values, SolveOptions(), recorder, lambda point, judged: False)
    theirs = recorder.trace()
    assert len(theirs) == len(ours.trace) and end.status is ours.status
    for column in ("trial_cost", "predicted", "damping"):
        assert ours.trace[column][:4] == pytest.approx(theirs[column][:4], rel=1e-6)


def test_known_standard_deviations_are_not_scaled():
    result = mq.solve(support.spatial())
    known = result.covariance("pose", 3)
    assert known == pytest.approx(result.covariance("pose", 3, sigma_known=False) / result.reduced_chi2)


def test_a_prior_takes_the_gauge_away():
    problem, compiled = mq.Problem(), support.spatial().compile()
    start = compiled.variables[0].values
    sigma = np.full((len(start), 6), np.inf)
    sigma[0] = 0.01
    pose = problem.variables("pose", start, manifold="SE3", prior=(start, sigma))
    edge = compiled.families[0]
    (_, i), (_, j) = edge.slots
    measured = np.stack(edge.columns[:7], axis=1)
    problem.residuals(support.seen_from, pose[i], pose[j], measured)
    result = mq.solve(problem)
    assert result.success and result.certificate.gauge_freedom == 0
    assert result.covariance("pose", 0, sigma_known=True) == pytest.approx(1e-4 * np.eye(6), abs=1e-6)


def test_a_huber_loss_keeps_what_outliers_would_spoil():
    x = np.linspace(0.0, 1.0, 50)
    y = 2.0 * x + 1.0
    y[::10] += 20.0

    def declared(loss):
        problem = mq.Problem()
        line = problem.variables("line", [0.0, 0.0])
        problem.residuals(lambda p, x, y: p[0] * x + p[1] - y, line, x, y, loss=loss)
        return mq.solve(problem)["line"][0]

    robust, plain = (np.abs(declared(loss) - [2.0, 1.0]).max() for loss in (Loss("huber", 0.1), None))
    assert robust < 0.1 < plain


def test_a_point_on_the_sphere_stays_on_it():
    rng = np.random.default_rng(0)
    truth = np.array([0.6, 0.0, 0.8])
    seen = truth + 0.01 * rng.standard_normal((40, 3))
    problem = mq.Problem()
    direction = problem.variables("direction", [0.0, 1.0, 0.0], manifold="Sphere")
    problem.residuals(lambda n, z: n - z, direction, seen)
    result = mq.solve(problem)
    mean = seen.mean(axis=0)
    assert result["direction"][0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-8)
    assert result.covariance("direction", 0).shape == (2, 2)


def test_functions_that_cannot_be_traced_are_called_back():
    def looked_up(p, x, y):
        return np.array([p[0] * np.interp(float(p[1]), [0.0, 1.0, 2.0], [0.0, 1.0, 4.0]) + x - y])

    problem = mq.Problem()
    p = problem.variables("p", [[1.0, 1.5]], fixed=[[False, True]])
    problem.residuals(looked_up, p, np.arange(3.0), np.arange(3.0) + 5.0)
    result = mq.solve(problem)
    assert result.success and result["p"][0, 0] == pytest.approx(2.0)


def test_the_same_structure_is_not_analyzed_again():
    compiled = support.spatial().compile()
    mq.solve(compiled)
    moved = compiled.with_values({"pose": mq.solve(compiled)["pose"]})
    again = mq.solve(moved)
    assert len(again.trace) <= 2 and again.seconds["analyze"] < 0.01


def test_analyzed_while_it_is_traced_or_afterwards_it_takes_the_same_way():
    problem = support.spatial()
    meanwhile = mq.solve(problem, threads=2)
    afterwards = mq.solve(support.spatial().compile(), threads=2)
    assert np.array_equal(meanwhile["pose"], afterwards["pose"])
    assert set(meanwhile.seconds) == set(afterwards.seconds) >= {"compile", "analyze", "total"}
    assert mq.solve(problem).seconds["compile"] < 0.01  # it is compiled


def test_a_function_that_fails_is_told_while_the_structure_is_analyzed():
    def broken(p):
        raise KeyError("no such lens")

    problem = mq.Problem()
    problem.residuals(broken, problem.variables("p", np.ones((5, 2)))[np.arange(5)])
    with pytest.raises(ModelError, match="no such lens"):
        mq.solve(problem)


def test_wrong_elimination_is_named_before_anything_is_traced():
    problem = support.spatial()
    with pytest.raises(OptionError, match="some residual joins two of them"):
        mq.solve(problem, eliminate="pose")
    assert not problem.is_compiled


def test_a_problem_that_is_forgotten_frees_its_system():
    problem = support.spatial()
    result = mq.solve(problem)
    result.covariance("pose")
    system = ref(result._point.task.system)
    del problem, result
    gc.collect()
    assert system() is None
