"""How a penalty is shown: in the page, in the record, and in advice."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from marquardt.curve.fit import fit

X = np.linspace(0.0, 4.0, 30)
Y = 2.5 * np.exp(-1.3 * X) + 0.5 + 0.05 * np.sin(37.0 * np.arange(30.0) ** 2)


def penalized(**more: Any) -> Any:
    return fit("y ~ a*exp(-b*x) + c", data={"x": X, "y": Y}, start=[1, 1, 0], **more)


def test_page_and_fragment_tell_of_the_penalty() -> None:
    result = penalized(prior={"c": (0.4, 0.02)}, ridge={"a": 0.1})
    for page in (result.to_html(), result._repr_html_()):
        assert "parameters come from the data" in page and "prior c = 0.4 ± 0.02" in page
    assert "come from the data" not in penalized().to_html()


def test_the_record_holds_every_part() -> None:
    record = json.loads(json.dumps(penalized(prior={"c": (0.4, 0.02)}, ridge={"a": 0.1}).to_dict()))
    assert record["penalty"]["parts"]["c"]["pull"] > 0.0
    assert record["penalty"]["parts"]["a"]["sd"] is None  # no prior: infinitely wide
    assert 0.0 < record["penalty"]["share"] < 1.0 and record["penalty"]["rounds"] > 1
    assert penalized().to_dict()["penalty"] is None


def test_a_parameter_that_is_all_prior_is_named() -> None:
    result = penalized(sigma=0.05, prior={"c": (0.52, 1e-4)})
    assert any("next to nothing about c" in sentence for sentence in result.advice)


def test_a_prior_the_data_agree_with_needs_no_advice() -> None:
    assert penalized(sigma=0.035, prior={"c": (0.5, 0.05)}).advice == ()
