"""The certificate: each number is what its formula says, however the derivatives were made."""

import json

import numpy as np
import pytest

import marquardt as mq
from marquardt.errors import Status

T = np.linspace(0.0, 4.0, 20)
Y = 3.0 * np.exp(-0.7 * T) + 0.3 * np.sin(9.0 * T)


def decay(x):
    return x[0] * np.exp(-x[1] * T) - Y


def decay_jacobian(x):
    e = np.exp(-x[1] * T)
    return np.stack([e, -x[0] * T * e], axis=1)


def decay_second_part(x):
    """Σ f_i H_i by hand."""
    f, e = decay(x), np.exp(-x[1] * T)
    mixed = -(f * T * e).sum()
    return np.array([[0.0, mixed], [mixed, (f * x[0] * T**2 * e).sum()]])


def opaque(x):
    return decay(np.array(json.loads(json.dumps([float(v) for v in x]))))


WAYS = {
    "traced": lambda: mq.least_squares(decay, [1.0, 1.0]),
    "given": lambda: mq.least_squares(decay, [1.0, 1.0], decay_jacobian),
    "called": lambda: mq.least_squares(opaque, [1.0, 1.0]),
}
ways = pytest.mark.parametrize("way", WAYS)


@ways
def test_the_second_part_of_the_hessian_is_right_however_it_is_found(way):
    result = WAYS[way]()
    expected = decay_second_part(result.x)
    exact = 1e-12 if way == "traced" else 1e-5
    found = result.certificate.residual_hessian
    np.testing.assert_allclose(found, expected, rtol=exact, atol=exact * np.abs(expected).max())


@ways
def test_eigenvalue_and_contraction_are_those_of_the_matrices(way):
    result = WAYS[way]()
    J, S = decay_jacobian(result.x), decay_second_part(result.x)
    C = np.linalg.norm(J, axis=0)
    scaled = np.linalg.eigvalsh((J.T @ J + S) / C[:, None] / C)
    contraction = np.abs(np.linalg.eigvals(np.linalg.solve(J.T @ J, S))).max()
    c = result.certificate
    assert c.smallest_eigenvalue == pytest.approx(scaled[0], rel=1e-5)
    assert c.contraction == pytest.approx(contraction, rel=1e-4)
    assert c.condition == pytest.approx(np.linalg.cond(J / C), rel=1e-6) and c.rank == 2


def test_gauss_newton_converges_at_the_rate_of_the_contraction():
    result = mq.least_squares(decay, [1.0, 1.0])
    x, errors = 1.000003 * result.x, []
    for _ in range(2):
        x = x - np.linalg.lstsq(decay_jacobian(x), decay(x), rcond=None)[0]
        errors.append(np.linalg.norm(x - result.x))
    assert errors[1] / errors[0] == pytest.approx(result.certificate.contraction, rel=0.02)


@pytest.mark.parametrize("k", [0.5, -0.5, -3.0, -10.0])
def test_a_minimum_that_gauss_newton_runs_away_from_is_certified_with_its_contraction(k):
    """Dennis, Schnabel (1983): x = 0 is the minimum, (J'J)^-1 S = -k."""
    result = mq.least_squares(lambda x: np.stack([x[0] + 1.0, k * x[0] ** 2 + x[0] - 1.0]), [0.3])
    c = result.certificate
    assert result.status is Status.CONVERGED
    assert c.contraction == pytest.approx(abs(k), rel=1e-6)
    assert c.smallest_eigenvalue == pytest.approx(1.0 - k, rel=1e-6)
    assert ("run away" in repr(c)) == (abs(k) > 1.0)


@ways
def test_the_digits_promised_are_there(way):
    result, best = WAYS[way](), mq.least_squares(decay, [3.0, 0.7]).x
    for name, x, true in zip(result.names, result.x, best, strict=True):
        right = -np.log10(max(abs(x / true - 1.0), 1e-16))
        assert 9.0 < result.certificate.digits[name] <= right + 1.0


@pytest.mark.parametrize("tolerance", [1e-3, 1e-5])
def test_an_end_short_of_the_minimum_promises_few_digits(tolerance):
    options = mq.Options(tolerance=tolerance, polish=False)
    result, best = mq.least_squares(decay, [1.0, 1.0], options=options), WAYS["traced"]().x
    for name, x, true in zip(result.names, result.x, best, strict=True):
        right = -np.log10(abs(x / true - 1.0))
        assert right - 2.0 <= result.certificate.digits[name] <= right + 0.5


def test_a_parameter_that_is_not_determined_has_no_digits():
    result = mq.least_squares(lambda x: x[0] * x[1] * np.exp(-x[2] * T) - Y, [1.0, 2.0, 1.0])
    digits = result.certificate.digits
    assert digits["x[0]"] == digits["x[1]"] == 0.0 and digits["x[2]"] > 10.0
    assert result.certificate.rank == 2 and "flat" in repr(result.certificate)


def test_a_parameter_at_its_bound_has_all_digits_and_no_distance():
    result = mq.least_squares(decay, [1.0, 0.4], bounds=([0.0, 0.1], [np.inf, 0.5]))
    c = result.certificate
    assert c.active == ("x[1]",) and c.distances["x[1]"] == (pytest.approx(0.4), 0.0)
    assert c.digits["x[1]"] > 15.0 and c.distances["x[0]"][1] == np.inf
    assert "held at its bound" in repr(c)


def test_units_of_a_parameter_do_not_matter():
    unit = 2.0**60
    plain = mq.least_squares(decay, [1.0, 1.0]).certificate
    scaled = mq.least_squares(lambda x: decay(np.stack([x[0] / unit, x[1]])), [unit, 1.0]).certificate
    for name in ("smallest_eigenvalue", "contraction", "condition"):
        assert getattr(scaled, name) == pytest.approx(getattr(plain, name), rel=1e-9)
    assert scaled.digits["x[0]"] == pytest.approx(plain.digits["x[0]"], abs=0.5)


def test_the_gradient_and_its_floor_are_those_of_the_largest_ratio():
    c = mq.least_squares(decay, [1.0, 1.0]).certificate
    assert c.scaled_gradient == pytest.approx(np.abs(c.gradient / c.gradient_floor).max(), rel=1e-6)
    assert c.stationary


def test_nothing_is_evaluated_before_it_is_asked_for():
    calls = []

    def counted(x):
        calls.append(x)
        return opaque(x)

    result = mq.least_squares(counted, [1.0, 1.0])
    before = len(calls)
    certificate = result.certificate
    assert certificate.rank == 2 and len(calls) == before
    assert certificate.contraction > 0.0 and len(calls) > before


def test_a_certificate_becomes_plain_data():
    from marquardt.report.record import plain

    numbers = plain(WAYS["traced"]().certificate.to_dict())
    assert json.loads(json.dumps(numbers)) == numbers and set(numbers["digits"]) == {"x[0]", "x[1]"}
