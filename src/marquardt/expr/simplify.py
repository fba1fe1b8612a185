"""Rewrites applied while a graph is built: one row each, tried in order, the first that answers wins.

Most rows are exact in IEEE arithmetic (the sign of a zero may change). Two kinds may move the last bits and
never lose digits: *regrouping* products so that parameter-only factors are multiplied once instead of at
every point, and *stable forms* such as ``1 - exp(z) -> -expm1(z)``. Nothing is rewritten that would turn a
NaN or inf into a number:
``0*x`` and ``x - x`` stay. So does ``1 - cos(z)``: ``2 sin(z/2)^2`` keeps more digits at small angles, but it
doubles the sines and cosines of a rotation and its derivatives (a fifth of a reprojection's time), where
those digits are lost again in the sum that follows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marquardt.expr.graph import Graph, Node

Rule = Callable[..., "Node | None"]
_DATA = 2


def _is(node: Node, value: float) -> bool:
    return node.op == "const" and node.value == value


def add_zero(g: Graph, a: Node, b: Node) -> Node | None:
    """x + 0 -> x"""
    if a.op == "const" and a.value == 0.0:
        return b
    return a if b.op == "const" and b.value == 0.0 else None


def add_negative(g: Graph, a: Node, b: Node) -> Node | None:
    """a + (-b) -> a - b"""
    if b.op == "neg":
        return g.apply("sub", a, b.args[0])
    return g.apply("sub", b, a.args[0]) if a.op == "neg" else None


def add_same(g: Graph, a: Node, b: Node) -> Node | None:
    """x + x -> 2x"""
    return g.scale(2.0, a) if a is b else None


def sub_zero(g: Graph, a: Node, b: Node) -> Node | None:
    """x - 0 -> x, 0 - x -> -x"""
    if b.op == "const" and b.value == 0.0:
        return a
    return g.apply("neg", b) if a.op == "const" and a.value == 0.0 else None


def sub_negative(g: Graph, a: Node, b: Node) -> Node | None:
    """a - (-b) -> a + b, (-a) - b -> -(a + b)"""
    if b.op == "neg":
        return g.apply("add", a, b.args[0])
    return g.apply("neg", g.apply("add", a.args[0], b)) if a.op == "neg" else None


def sub_exp(g: Graph, a: Node, b: Node) -> Node | None:
    """1 - exp(z) -> -expm1(z), exp(z) - 1 -> expm1(z)"""
    if b.op == "exp" and _is(a, 1.0):
        return g.neg(g.apply("expm1", b.args[0]))
    return g.apply("expm1", a.args[0]) if a.op == "exp" and _is(b, 1.0) else None


def add_exp(g: Graph, a: Node, b: Node) -> Node | None:
    """-1 + exp(z) -> expm1(z)"""
    if a.op == "exp" and _is(b, -1.0):
        return g.apply("expm1", a.args[0])
    return g.apply("expm1", b.args[0]) if b.op == "exp" and _is(a, -1.0) else None


def mul_unit(g: Graph, a: Node, b: Node) -> Node | None:
    """1*x -> x, -1*x -> -x"""
    if b.op == "const":
        a, b = b, a
    if a.op == "const" and (a.value == 1.0 or a.value == -1.0):
        return b if a.value == 1.0 else g.apply("neg", b)
    return None


def mul_same(g: Graph, a: Node, b: Node) -> Node | None:
    """x*x -> square(x)"""
    return g.apply("square", a) if a is b else None


def mul_negative(g: Graph, a: Node, b: Node) -> Node | None:
    """(-a)*b -> -(a*b)"""
    if a.op != "neg":
        a, b = b, a
    # The sign of a parameter-only factor costs nothing where it is.
    if a.op == "neg" and (a.kind & _DATA or not b.kind & _DATA):
        return g.apply("neg", g.apply("mul", a.args[0], b))
    return None


def _split(node: Node) -> tuple[Node | None, Node]:
    """(u, x) where a per-point node is u*x with parameter-only u, else (None, node)."""
    if node.op == "mul":
        u, x = node.args
        if not u.kind & _DATA:
            return u, x
        if not x.kind & _DATA:
            return x, u
    return None, node


def mul_uniform(g: Graph, a: Node, b: Node) -> Node | None:
    """u*(v*x) -> (u*v)*x, (u*x)*(v*y) -> (u*v)*(x*y), x*(v*y) -> v*(x*y) for parameter-only u, v"""
    if a.kind & _DATA:
        a, b = b, a
    if not b.kind & _DATA:
        return None
    v, y = _split(b)
    if not a.kind & _DATA:
        return None if v is None else g.apply("mul", g.apply("mul", a, v), y)
    u, x = _split(a)
    # A lone constant stays where it is: `2*w` is likely shared by several products, and moving it saves
    # nothing.
    if (u is None and (v is None or v.kind == 0)) or (v is None and u is not None and u.kind == 0):
        return None
    factor = u if v is None else v if u is None else g.apply("mul", u, v)
    assert factor is not None
    return g.apply("mul", factor, g.apply("mul", x, y))


def div_unit(g: Graph, a: Node, b: Node) -> Node | None:
    """x/1 -> x, 1/x -> recip(x)"""
    if _is(b, 1.0):
        return a
    return g.apply("recip", b) if _is(a, 1.0) else None


def div_negative(g: Graph, a: Node, b: Node) -> Node | None:
    """(-a)/b -> -(a/b), a/(-b) -> -(a/b)"""
    if a.op == "neg":
        return g.neg(g.div(a.args[0], b))
    return g.neg(g.div(a, b.args[0])) if b.op == "neg" else None


def div_uniform(g: Graph, a: Node, b: Node) -> Node | None:
    """x/u -> x*(1/u) for parameter-only u: one division per parameter vector instead of one per point"""
    if a.kind & _DATA and not b.kind & _DATA:
        return g.mul(a, g.apply("recip", b))
    return None


def _one_plus_exp(node: Node) -> Node | None:
    """z where node is 1 + exp(z)."""
    if node.op == "add":
        a, b = node.args
        if _is(b, 1.0):
            a, b = b, a
        if _is(a, 1.0) and b.op == "exp":
            return b.args[0]
    return None


def div_logistic(g: Graph, a: Node, b: Node) -> Node | None:
    """a/(1 + exp(z)) -> a*expit(-z): its derivative cannot overflow"""
    z = _one_plus_exp(b)
    return None if z is None else g.mul(a, g.apply("expit", g.neg(z)))


def div_exp(g: Graph, a: Node, b: Node) -> Node | None:
    """a/exp(z) -> a*exp(-z): its derivative cannot overflow"""
    return g.mul(a, g.apply("exp", g.neg(b.args[0]))) if b.op == "exp" else None


def pow_logistic(g: Graph, x: Node, p: Node) -> Node | None:
    """(1 + exp(z))^p -> exp(-p*log_expit(-z)): as in Richards' growth curve, without overflow"""
    z = _one_plus_exp(x)
    return None if z is None else g.apply("exp", g.neg(g.mul(p, g.apply("log_expit", g.neg(z)))))


def recip_exp(g: Graph, a: Node) -> Node | None:
    """1/exp(z) -> exp(-z)"""
    return g.apply("exp", g.neg(a.args[0])) if a.op == "exp" else None


def neg_inside(g: Graph, a: Node) -> Node | None:
    """-(-x) -> x, -(a - b) -> b - a, -(u*x) -> (-u)*x for parameter-only u"""
    if a.op == "neg":
        return a.args[0]
    if a.op == "sub":
        return g.apply("sub", a.args[1], a.args[0])
    if a.op == "mul":
        u, x = a.args
        if x.op == "const" or (u.kind & _DATA and not x.kind & _DATA):
            u, x = x, u
        if u.op == "const" or (x.kind & _DATA and not u.kind & _DATA):
            return g.apply("mul", g.apply("neg", u), x)
    return None


def recip_negative(g: Graph, a: Node) -> Node | None:
    """1/(-x) -> -(1/x)"""
    return g.neg(g.apply("recip", a.args[0])) if a.op == "neg" else None


def recip_logistic(g: Graph, a: Node) -> Node | None:
    """1/(1 + exp(z)) -> expit(-z)"""
    z = _one_plus_exp(a)
    return None if z is None else g.apply("expit", g.neg(z))


def square_sign(g: Graph, a: Node) -> Node | None:
    """(-x)^2 -> x^2, |x|^2 -> x^2"""
    return g.apply("square", a.args[0]) if a.op in ("neg", "abs") else None


def abs_sign(g: Graph, a: Node) -> Node | None:
    """|-x| -> |x|, ||x|| -> |x|, |x^2| -> x^2"""
    if a.op == "neg":
        return g.apply("abs", a.args[0])
    return a if a.op in ("abs", "square", "exp", "sqrt", "hypot") else None


def sqrt_hypot(g: Graph, a: Node) -> Node | None:
    """sqrt(a^2 + b^2) -> hypot(a, b)"""
    if a.op == "add" and a.args[0].op == "square" and a.args[1].op == "square":
        return g.apply("hypot", a.args[0].args[0], a.args[1].args[0])
    return None


def log_one_plus(g: Graph, a: Node) -> Node | None:
    """log(1 + z) -> log1p(z)"""
    if a.op == "add":
        if _is(a.args[0], 1.0):
            return g.apply("log1p", a.args[1])
        if _is(a.args[1], 1.0):
            return g.apply("log1p", a.args[0])
    return None


def log_one_minus(g: Graph, a: Node) -> Node | None:
    """log(1 - z) -> log1p(-z)"""
    return g.apply("log1p", g.neg(a.args[1])) if a.op == "sub" and _is(a.args[0], 1.0) else None


def log_logistic(g: Graph, a: Node) -> Node | None:
    """log(1 + exp(z)) -> -log_expit(-z): linear for large z instead of infinite"""
    z = _one_plus_exp(a)
    return None if z is None else g.neg(g.apply("log_expit", g.neg(z)))


def log1p_exp(g: Graph, a: Node) -> Node | None:
    """log1p(exp(z)) -> -log_expit(-z)"""
    return g.neg(g.apply("log_expit", g.neg(a.args[0]))) if a.op == "exp" else None


def even(op: str) -> Rule:
    """f(-x) -> f(x)"""
    return lambda g, a: g.apply(op, a.args[0]) if a.op == "neg" else None


def odd(op: str) -> Rule:
    """f(-x) -> -f(x)"""
    return lambda g, a: g.neg(g.apply(op, a.args[0])) if a.op == "neg" else None


def pow_small(g: Graph, x: Node, p: Node) -> Node | None:
    """x^n by multiplication for |n| <= 8, x^(n + 1/2) with one square root for |n| <= 3"""
    if p.op != "const":
        return None
    n = abs(p.value)
    if n * 2 != int(n * 2) if n <= 8 else True:
        return None
    whole = int(n)
    if whole != n and whole > 3:
        return None
    product = g.apply("sqrt", x) if whole != n else None
    factor = x
    while whole:
        if whole & 1:
            product = factor if product is None else g.mul(product, factor)
        whole >>= 1
        factor = g.apply("square", factor) if whole else factor
    if product is None:
        return g.const(1.0)
    return product if p.value > 0 else g.apply("recip", product)


def pow_one(g: Graph, x: Node, p: Node) -> Node | None:
    """1^p -> 1"""
    return x if _is(x, 1.0) else None


def select_known(g: Graph, c: Node, a: Node, b: Node) -> Node | None:
    """select with a constant condition or equal branches"""
    if a is b:
        return a
    if c.op == "const":
        return a if c.value != 0.0 else b
    return g.select(c.args[0], b, a) if c.op == "not" else None


def same(g: Graph, a: Node, b: Node) -> Node | None:
    """min(x, x) -> x"""
    return a if a is b else None


def jn_low(g: Graph, n: Node, x: Node) -> Node | None:
    """J_0, J_1 have their own names; J_-n = (-1)^n J_n"""
    if n.value in (0.0, 1.0):
        return g.apply("j0" if n.value == 0.0 else "j1", x)
    if n.value < 0 and n.value == int(n.value):
        mirrored = g.apply("jn", g.const(-n.value), x)
        return mirrored if n.value % 2 == 0 else g.neg(mirrored)
    return None


RULES: dict[str, tuple[Rule, ...]] = {
    "add": (add_zero, add_negative, add_same, add_exp),
    "sub": (sub_zero, sub_negative, sub_exp),
    "mul": (mul_unit, mul_same, mul_negative, mul_uniform),
    "div": (div_unit, div_negative, div_logistic, div_exp, div_uniform),
    "neg": (neg_inside,),
    "recip": (recip_negative, recip_logistic, recip_exp),
    "square": (square_sign,),
    "abs": (abs_sign,),
    "sqrt": (sqrt_hypot,),
    "log": (log_logistic, log_one_plus, log_one_minus),
    "log1p": (log1p_exp,),
    "pow": (pow_small, pow_one, pow_logistic),
    "cos": (even("cos"),),
    "cosh": (even("cosh"),),
    "sin": (odd("sin"),),
    "tan": (odd("tan"),),
    "sinh": (odd("sinh"),),
    "tanh": (odd("tanh"),),
    "arctan": (odd("arctan"),),
    "erf": (odd("erf"),),
    "select": (select_known,),
    "minimum": (same,),
    "maximum": (same,),
    "and": (same,),
    "or": (same,),
    "jn": (jn_low,),
}
