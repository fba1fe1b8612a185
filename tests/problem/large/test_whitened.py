"""Weights and square roots of information behind programs."""

import numpy as np
import pytest

import marquardt as mq
from marquardt.expr.graph import Graph
from marquardt.problem.large.program import program
from marquardt.problem.large.whitened import Whitening

N = 300  # more than one block of the tape


def plain_program():
    """Two residuals of two numbers, row by row with three derivatives; some are constants, one is shared."""
    graph = Graph()
    x, y = graph.data(0), graph.data(1)
    sine, product = graph.apply("sin", x), graph.mul(x, y)
    zero, one = graph.const(0.0), graph.const(1.0)
    outputs = [sine, product, sine, zero, one, y, zero, sine]
    return program(graph, outputs, (2,), 2, (False,))


@pytest.mark.parametrize(
    "entries",
    [
        ((0, 1), (None, 2)),
        ((0, None), (None, 0)),
        ((1.0, None), (None, 0)),
        ((1.0, None), (None, 1.0)),
        ((2.0, 0), (1, -3.0)),
        ((None, None), (0.5, 0)),
    ],
    ids=str,
)
def test_a_whitened_program_gives_the_product(entries):
    rng = np.random.default_rng(0)
    x, columns = rng.normal(size=(N, 2)), [rng.normal(size=N) for _ in range(3)]
    slots = [(0, np.arange(N))]
    plain = plain_program().run([x], slots, [])
    W = np.zeros((N, 2, 2))
    for i, row in enumerate(entries):
        for j, entry in enumerate(row):
            W[:, i, j] = 0.0 if entry is None else columns[entry] if isinstance(entry, int) else entry
    found = plain_program().whitened(Whitening(entries, 3)).run([x], slots, columns)
    assert np.allclose(found[:, :2], np.einsum("nij,nj->ni", W, plain[:, :2]), rtol=1e-14, atol=1e-15)
    J = plain[:, 2:].reshape(N, 2, 3)
    assert np.allclose(found[:, 2:].reshape(N, 2, 3), W @ J, rtol=1e-14, atol=1e-15)


def test_a_factor_of_one_takes_no_instruction():
    ones = ((1.0, None), (None, 1.0))
    whitened = plain_program().whitened(Whitening(ones, 0))
    assert len(whitened.spec.code) == len(plain_program().spec.code)


def test_without_a_kernel_residuals_are_whitened_by_numpy():
    from scipy.special import erfinv

    rng = np.random.default_rng(1)
    x, root = rng.uniform(-0.5, 0.5, (4, 2)), rng.normal(size=(4, 2, 2))
    problem = mq.Problem()
    place = problem.variables("place", x)
    problem.residuals(lambda p: erfinv(p), place, sqrt_information=root)
    (family,) = problem.compile().families
    assert np.allclose(family.callback.value([x]), np.einsum("nij,nj->ni", root, erfinv(x)))
    slopes = np.sqrt(np.pi) / 2.0 * np.exp(erfinv(x) ** 2)
    assert np.allclose(family.callback.linear([x])[1], root * slopes[:, None, :])
