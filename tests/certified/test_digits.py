"""The digits that a certificate promises are there."""

import pytest

from marquardt.datasets import correct_digits

from .test_nist import RUNS, TRUE, all_runs, called_back, solve


def excess(result, references, cap):
    """The largest number of digits promised beyond those that are right, over the parameters."""
    promised = result.certificate.digits
    return max(
        min(promised[name], cap) - correct_digits(result.params[name].value, reference, cap)
        for name, reference in references.items()
    )


@pytest.mark.parametrize(("name", "start"), RUNS)
def test_no_more_than_one_digit_too_many_is_promised(name, start):
    problem, result = all_runs()[name, start]
    assert excess(result, problem.certified, cap=11.0) <= 1.0


@pytest.mark.parametrize(("name", "start"), RUNS)
def test_the_optimum_to_sixty_digits_bears_the_promise_out(name, start):
    _, result = all_runs()[name, start]
    true = {f"b{k + 1}": float(value) for k, value in enumerate(TRUE[name]["true"])}
    assert excess(result, true, cap=15.95) <= 1.0


@pytest.mark.parametrize(("name", "start"), RUNS)
def test_differences_promise_no_more_than_one_digit_too_many_either(name, start):
    problem, result = solve(name, start, called_back)
    assert not result.success or excess(result, problem.certified, cap=11.0) <= 1.0
