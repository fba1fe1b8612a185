"""Expressions solved for a parameter, and the intervals they lie in."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquardt.expr.formula import parse
from marquardt.expr.graph import Graph, Node, reachable
from marquardt.expr.interpret import interpret
from marquardt.expr.interval import _RISING, _RULES, interval
from marquardt.expr.invert import _UNDO, NotSolvable, solve_for

POSITIVE = (0.0, math.inf)


def read(text: str) -> tuple[Graph, Node, tuple[str, ...]]:
    formula = parse(text)
    return formula.graph, formula.node, formula.param_names


def value(node: Node, values: Any) -> float:
    with np.errstate(all="ignore"):
        return float(interpret([node], values, ())[0])


CHAINS = [
    "p + q", "p - q", "q - p", "-p", "p*q", "p/q", "q/p", "1/p", "p^2", "p^3", "p^-1.5", "p^0.5", "2^p",
    "sqrt(p)", "exp(p)", "log(p)", "expm1(p)", "log1p(p)", "exp2(p)", "log2(p)", "log10(p)", "sinh(p)",
    "arcsinh(p)", "tanh(p)", "arctanh(p/9)", "cbrt(p)", "expit(p)", "log(p/q)", "exp(-p*q) + q",
    "3*(1 - p/q)^2", "p + 2*p*q", "p*q + p/q - 1", "(p - q)/q", "sqrt(p + q^2)", "2*p + 3*(p - q)",
]  # fmt: skip


@pytest.mark.parametrize("text", CHAINS)
def test_the_solution_put_into_the_expression_gives_the_target(text: str) -> None:
    graph, node, names = read(text)
    i, n = names.index("p"), len(names)
    box = dict.fromkeys(range(n), POSITIVE)
    if text == "3*(1 - p/q)^2":
        box = {names.index("q"): (1.0, 2.0), i: (2.0, 8.0)}  # of one sign: there is one root
    for p, q in ((2.5, 1.7), (4.0, 1.2), (2.01, 1.9)):
        at = {"p": p, "q": q}
        values = [at[name] for name in names]
        wanted = value(node, values)
        solved = solve_for(graph, node, i, n, {**box, n: (wanted, wanted)})
        assert graph.param(i) not in reachable([solved])
        assert value(solved, [*values, wanted]) == pytest.approx(p, rel=1e-12)


def test_every_operation_that_can_be_undone_is_tried_above() -> None:
    tried = {n.op for text in CHAINS for n in reachable([read(text)[1]])}
    assert set(_UNDO) <= tried


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("p*q", "its factor may be zero"),
        ("q/p", "it is a divisor"),
        ("1/p", "it is a divisor"),
        ("p^2", "several roots"),
        ("sin(p)", "`sin` cannot be undone"),
        ("p^q", "a power with another parameter"),
        ("p + exp(p)", "occurs more than once"),
        ("p*q + p", "its factor may be zero"),
        ("1^p*p^p", "occurs more than once"),
    ],
)
def test_what_has_no_single_solution_is_refused(text: str, why: str) -> None:
    graph, node, names = read(text)
    with pytest.raises(NotSolvable, match=why):
        solve_for(graph, node, names.index("p"), len(names), {})


EXPRESSIONS = [
    "p + q", "p - q", "-p", "p*q", "p/q", "1/p", "p^2", "p^3", "p^-2", "p^0.5", "q^p", "abs(p)",
    "hypot(p, q)", "min(p, q)", "max(p, q)", "exp(p)", "expm1(p)", "exp2(p)", "sinh(p)", "tanh(p)",
    "arctan(p)", "arcsinh(p)", "cbrt(p)", "expit(p)", "log_expit(p)", "erf(p)", "ndtr(p)",
    "log_ndtr(p)", "floor(p)", "ceil(p)", "rint(p)", "log(p)", "log2(p)", "log10(p)", "sqrt(p)",
    "log1p(p)", "arctanh(p)", "sin(p) + q", "p*(1 - q)", "exp(-p)/(1 + q^2)",
]  # fmt: skip
NUMBERS = st.sampled_from([-math.inf, -3.0, -1.0, -0.2, 0.0, 0.5, 1.0, 2.0, math.inf])


@pytest.mark.parametrize("text", EXPRESSIONS)
@given(ends=st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), parts=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_values_lie_in_the_interval(text: str, ends: Any, parts: Any) -> None:
    _, node, names = read(text)
    box = {k: (min(ends[2 * k : 2 * k + 2]), max(ends[2 * k : 2 * k + 2])) for k in range(len(names))}
    values = []
    for k, part in zip(box, parts, strict=False):
        low, high = max(box[k][0], -50.0), min(box[k][1], 50.0)
        values.append(min(max(low + part * (high - low), box[k][0]), box[k][1]))
    if not np.isfinite(values).all():
        return
    found, (low, high) = value(node, values), interval(node, box)
    if math.isfinite(found):
        slack = 1e-12 * max(abs(found), 1.0)
        assert low - slack <= found <= high + slack


def test_every_rule_of_intervals_is_tried_above() -> None:
    tried = {n.op for text in EXPRESSIONS for n in reachable([read(text)[1]])}
    assert set(_RISING) | set(_RULES) <= tried


def test_intervals_of_sums_and_quotients_are_sharp() -> None:
    _, node, names = read("p/q + 1")
    box = {names.index("p"): (2.0, 4.0), names.index("q"): (1.0, 2.0)}
    assert interval(node, box) == (2.0, 5.0)
