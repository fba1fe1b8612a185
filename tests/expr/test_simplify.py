"""Every rewrite fires on its example and keeps the value: exactly, within ulps, or with smaller errors."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from marquardt.expr import simplify
from marquardt.expr.derive import jacobian
from marquardt.expr.graph import Graph
from marquardt.expr.interpret import interpret
from marquardt.expr.ops import OPS
from marquardt.expr.simplify import RULES

SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, -1e-310, 1e-160, 1e300, -1e300, 1.0, -1.0])
ORDINARY = np.concatenate([np.linspace(-4, 4, 41), [1e-9, -3e-5, 700.0, -700.0]])


def leaves(g):
    return g.data(0), g.data(1), g.param(0), g.param(1)


# Rewrites that give the very same number for any arguments, but for the sign of a zero.
EXACT = {
    "add_zero": [
        lambda g, x, y, u, v: ("add", g.const(0.0), x),
        lambda g, x, y, u, v: ("add", x, g.const(0.0)),
    ],
    "add_negative": [lambda g, x, y, u, v: ("add", x, g.neg(y)), lambda g, x, y, u, v: ("add", g.neg(x), y)],
    "add_same": [lambda g, x, y, u, v: ("add", x, x)],
    "sub_zero": [
        lambda g, x, y, u, v: ("sub", x, g.const(0.0)),
        lambda g, x, y, u, v: ("sub", g.const(0.0), x),
    ],
    "sub_negative": [lambda g, x, y, u, v: ("sub", x, g.neg(y)), lambda g, x, y, u, v: ("sub", g.neg(x), y)],
    "mul_unit": [
        lambda g, x, y, u, v: ("mul", g.const(1.0), x),
        lambda g, x, y, u, v: ("mul", x, g.const(-1.0)),
    ],
    "mul_same": [lambda g, x, y, u, v: ("mul", x, x)],
    "mul_negative": [lambda g, x, y, u, v: ("mul", x, g.neg(y)), lambda g, x, y, u, v: ("mul", u, g.neg(x))],
    "div_unit": [
        lambda g, x, y, u, v: ("div", x, g.const(1.0)),
        lambda g, x, y, u, v: ("div", g.const(1.0), x),
    ],
    "div_negative": [lambda g, x, y, u, v: ("div", x, g.neg(y)), lambda g, x, y, u, v: ("div", g.neg(x), y)],
    "neg_inside": [
        lambda g, x, y, u, v: ("neg", g.neg(x)),
        lambda g, x, y, u, v: ("neg", g.sub(x, y)),
        lambda g, x, y, u, v: ("neg", g.mul(u, x)),
        lambda g, x, y, u, v: ("neg", g.mul(g.const(3.0), u)),
    ],
    "recip_negative": [lambda g, x, y, u, v: ("recip", g.neg(x))],
    "square_sign": [
        lambda g, x, y, u, v: ("square", g.neg(x)),
        lambda g, x, y, u, v: ("square", g.apply("abs", x)),
    ],
    "abs_sign": [
        lambda g, x, y, u, v: ("abs", g.neg(x)),
        lambda g, x, y, u, v: ("abs", g.apply("square", x)),
    ],
    "pow_one": [lambda g, x, y, u, v: ("pow", g.const(1.0), x)],
    "pow_small": [
        lambda g, x, y, u, v: ("pow", x, g.const(0.0)),
        lambda g, x, y, u, v: ("pow", x, g.const(1.0)),
        lambda g, x, y, u, v: ("pow", x, g.const(2.0)),
        lambda g, x, y, u, v: ("pow", x, g.const(-1.0)),
    ],
    "select_known": [
        lambda g, x, y, u, v: ("select", g.const(2.0), x, y),
        lambda g, x, y, u, v: ("select", x, y, y),
        lambda g, x, y, u, v: ("select", g.apply("not", u), x, y),
    ],
    "same": [lambda g, x, y, u, v: ("minimum", x, x), lambda g, x, y, u, v: ("maximum", x, x)],
    "sin": [lambda g, x, y, u, v: ("sin", g.neg(x))],
    "cos": [lambda g, x, y, u, v: ("cos", g.neg(x))],
    "erf": [lambda g, x, y, u, v: ("erf", g.neg(x))],
    "jn_low": [lambda g, x, y, u, v: ("jn", g.const(-3.0), u)],
}
# Rewrites that may move the last bits, and those whose result is nearer to the truth.
CLOSE = {
    "mul_uniform": [
        lambda g, x, y, u, v: ("mul", u, g.raw("mul", v, x)),
        lambda g, x, y, u, v: ("mul", g.raw("mul", u, x), g.raw("mul", v, y)),
        lambda g, x, y, u, v: ("mul", x, g.raw("mul", y, v)),
    ],
    "div_uniform": [lambda g, x, y, u, v: ("div", x, u)],
    "pow_small": [
        lambda g, x, y, u, v, n=n: ("pow", x, g.const(n)) for n in (3.0, -2.0, 5.0, 8.0, 0.5, -1.5)
    ],
    "div_logistic": [lambda g, x, y, u, v: ("div", y, g.add(g.const(1.0), g.apply("exp", x)))],
    "recip_logistic": [lambda g, x, y, u, v: ("recip", g.add(g.apply("exp", x), g.const(1.0)))],
    "div_exp": [lambda g, x, y, u, v: ("div", y, g.apply("exp", x))],
    "recip_exp": [lambda g, x, y, u, v: ("recip", g.apply("exp", x))],
    "sqrt_hypot": [lambda g, x, y, u, v: ("sqrt", g.add(g.apply("square", x), g.apply("square", y)))],
}
STABLE = {
    "sub_exp": (lambda g, x: ("sub", g.const(1.0), g.apply("exp", x)), lambda z: -mp.expm1(z)),
    "add_exp": (lambda g, x: ("add", g.apply("exp", x), g.const(-1.0)), mp.expm1),
    "log_one_plus": (lambda g, x: ("log", g.add(g.const(1.0), x)), mp.log1p),
    "log_logistic": (
        lambda g, x: ("log", g.add(g.const(1.0), g.apply("exp", x))),
        lambda z: mp.log1p(mp.exp(z)),
    ),
    "log1p_exp": (lambda g, x: ("log1p", g.apply("exp", x)), lambda z: mp.log1p(mp.exp(z))),
    "log_one_minus": (lambda g, x: ("log", g.sub(g.const(1.0), x)), lambda z: mp.log1p(-z)),
}


def cases(table):
    return [(name, k) for name, examples in table.items() for k in range(len(examples))]


def before_and_after(example, columns, params=(1.7, -0.3)):
    g = Graph()
    op, *args = example(g, *leaves(g))
    after = g.apply(op, *args)
    with np.errstate(all="ignore"):
        before = OPS[op].value(*interpret(args, params, columns))
    return before, interpret([after], params, columns)[0], (after.op, after.args) == (op, tuple(args))


def test_every_rewrite_is_tested():
    tested = EXACT.keys() | CLOSE.keys() | STABLE.keys() | {"pow_logistic"}
    rows = {rule.__name__ for rules in RULES.values() for rule in rules if "<lambda>" not in rule.__name__}
    assert rows <= tested
    assert all(getattr(simplify, name, None) or name in RULES for name in tested)


@pytest.mark.parametrize(("name", "k"), cases(EXACT))
def test_exact_rewrites_keep_every_number(name, k):
    x, y = [
        c.ravel()
        for c in np.meshgrid(np.concatenate([SPECIAL, ORDINARY]), np.concatenate([SPECIAL, ORDINARY]))
    ]
    for params in ((1.7, -0.3), (np.inf, 0.0), (0.0, np.nan)):
        before, after, unchanged = before_and_after(EXACT[name][k], [x, y], params)
        assert not unchanged
        np.testing.assert_array_equal(*np.broadcast_arrays(before, after))


@pytest.mark.parametrize(("name", "k"), cases(CLOSE))
def test_close_rewrites_keep_values_within_ulps(name, k):
    x, y = [c.ravel() for c in np.meshgrid(ORDINARY, ORDINARY)]
    before, after, unchanged = before_and_after(CLOSE[name][k], [x, y])
    assert not unchanged
    np.testing.assert_allclose(after, before, rtol=1e-15, atol=0)


@pytest.mark.parametrize(("name", "k"), [c for c in cases(CLOSE) if c[0] not in ("pow_small", "sqrt_hypot")])
def test_close_rewrites_keep_nan_and_infinity(name, k):
    x, y = [c.ravel() for c in np.meshgrid([np.nan, np.inf, -np.inf, 0.0, 2.0], [np.nan, np.inf, 0.0, -1.0])]
    before, after, _ = before_and_after(CLOSE[name][k], [x, y])
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", STABLE)
def test_stable_rewrites_are_never_further_from_the_truth(name):
    build, truth = STABLE[name]
    z = np.concatenate(
        [0.97 * np.sign(t) * 10.0 ** -np.arange(0.0, 15.0) for t in (np.ones(15), -np.ones(15))]
    )
    z = np.concatenate([z, [0.0, -5.0, -40.0]] if "log" not in name else [z, [0.0, 0.5]])
    before, after, unchanged = before_and_after(lambda g, x, *_: build(g, x), [z, z])
    assert not unchanged
    if name.startswith("log1p") or name == "log_logistic":
        z = np.concatenate([z, [-800.0, -30.0, 30.0, 800.0]])
        before, after, _ = before_and_after(lambda g, x, *_: build(g, x), [z, z])
    exact = [truth(mp.mpf(float(v))) for v in z]
    for b, a, e in zip(before, after, exact, strict=True):
        assert abs(mp.mpf(float(a)) - e) <= max(abs(mp.mpf(float(b)) - e), 4e-16 * abs(e))


def test_power_of_a_logistic_keeps_its_digits_and_its_slope_where_it_overflows():
    g = Graph()
    x, p = g.data(0), g.param(0)
    node = g.apply("pow", g.add(g.const(1.0), g.apply("exp", x)), p)
    z = np.linspace(-40.0, 40.0, 81)
    exact = [float((1 + mp.exp(mp.mpf(float(v)))) ** mp.mpf(1.3)) for v in z]
    np.testing.assert_allclose(interpret([node], [1.3], [z])[0], exact, rtol=2e-14)
    growth = g.div(p, g.apply("pow", g.add(g.const(1.0), g.apply("exp", g.mul(p, x))), g.param(1)))
    slopes = jacobian(g, [growth], [p, g.param(1)])[0]
    assert np.isfinite(interpret(slopes, [1.0, 0.7], [np.array([900.0, -900.0])])).all()


def test_rewrites_do_not_hide_a_nan():
    g = Graph()
    x = g.data(0)
    for node in (g.mul(g.const(0.0), x), g.sub(x, x), g.div(x, x)):
        assert np.isnan(interpret([node], [], [np.array([np.nan])])[0]).all()
