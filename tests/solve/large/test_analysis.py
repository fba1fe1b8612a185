"""The analysis of the factor, which a thread goes on with while residuals are evaluated."""

import multiprocessing

import numpy as np
import pytest

import marquardt as mq
from marquardt.datasets import scenes
from marquardt.solve.large.system import make_system


def graph(n=60):
    return scenes.manhattan(n).start.problem()


def step_of(system, compiled):
    system.linearize([v.values for v in compiled.variables])
    assert system.factorize(1e-6)
    return system.step()[0]


def test_a_factor_that_is_waited_for_and_one_that_is_made_at_once_give_the_same_bits():
    compiled = graph().compile()
    steps = [step_of(make_system(compiled, threads=threads), compiled) for threads in (1, 2)]
    assert all(np.array_equal(a, b) for a, b in zip(*steps, strict=True))


def test_info_waits_for_the_analysis():
    compiled = graph().compile()
    infos = [make_system(compiled, threads=threads).info() for threads in (1, 2)]
    assert infos[0] == infos[1]
    assert infos[0]["solver"] == "sparse"


@pytest.mark.parametrize("solver", ["dense", "sparse", "pcg", "pcg-jacobi", "pcg-clusters"])
def test_every_solver_of_a_graph_finds_the_same_poses(solver):
    usual, other = (mq.solve(graph(), threads=2, ftol=1e-12, solver=s) for s in ("auto", solver))
    assert other.cost == pytest.approx(usual.cost, rel=1e-8)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_a_thread_of_its_parent():
    compiled = graph(20_000).compile()  # large enough to be at work on when the child begins
    context = multiprocessing.get_context("fork")
    found = context.Queue()
    system = make_system(compiled, threads=2)
    child = context.Process(target=lambda: found.put(step_of(system, compiled)))
    child.start()
    there, here = found.get(timeout=60), step_of(system, compiled)
    child.join()
    assert all(np.array_equal(a, b) for a, b in zip(there, here, strict=True))
