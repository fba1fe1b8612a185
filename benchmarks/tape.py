"""How fast is a model evaluated? Residual and all derivatives, ns per point, one thread, data in cache.

Method: two models. "gauss" is the sum of an exponential and two Gaussians with the derivatives by its 8
parameters; "bal" is the reprojection of a point by a camera with two distortion terms, 2 residuals and their
2 x 12 derivatives by camera and point. 2048 points stay in the second-level cache. Each contender is warmed
up, then all are timed in turn; the table shows medians of the rounds, and each contender's ratio to the tape
at the AVX2 level. numba and JAX compile the same expressions; NumPy evaluates them with the interpreter.
Peers that are not installed are left out. Outputs of the tape stay in its workspace, where its consumer (the
QR factorization) reads them.

    python benchmarks/tape.py [--quick] [--write FILE]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from harness import arguments, installed, machine, publish, table

from marquardt import _core
from marquardt.expr.derive import jacobian
from marquardt.expr.graph import Graph, Node
from marquardt.expr.interpret import compile_numpy
from marquardt.expr.tape import lower

POINTS = 2048


def gauss(g: Graph) -> tuple[list[Node], list[Node], int]:
    """Exponential plus two Gaussians minus the observation (NIST Gauss1): outputs, parameters, columns."""
    p = [g.param(i) for i in range(8)]
    x, y = g.data(0), g.data(1)

    def peak(height: Node, center: Node, width: Node) -> Node:
        u = g.apply("square", g.sub(x, center))
        return g.mul(height, g.apply("exp", g.neg(g.div(u, g.apply("square", width)))))

    decay = g.mul(p[0], g.apply("exp", g.neg(g.mul(p[1], x))))
    model = g.add(g.add(decay, peak(p[2], p[3], p[4])), peak(p[5], p[6], p[7]))
    return [g.sub(model, y)], p, 2


def bal(g: Graph) -> tuple[list[Node], list[Node], int]:
    """Reprojection by the camera of "bundle adjustment in the large"; everything differs per observation."""
    w0, w1, w2, t0, t1, t2, f, k1, k2, X, Y, Z, u, v = (g.data(i) for i in range(14))
    add, sub, mul, apply = g.add, g.sub, g.mul, g.apply
    square = add(add(add(mul(w0, w0), mul(w1, w1)), mul(w2, w2)), g.const(1e-30))
    angle = apply("sqrt", square)
    c, s, inverse = apply("cos", angle), apply("sin", angle), apply("recip", angle)
    a, b, d = mul(w0, inverse), mul(w1, inverse), mul(w2, inverse)
    m = mul(add(add(mul(a, X), mul(b, Y)), mul(d, Z)), sub(g.const(1.0), c))
    x = add(add(add(mul(X, c), mul(sub(mul(b, Z), mul(d, Y)), s)), mul(a, m)), t0)
    y = add(add(add(mul(Y, c), mul(sub(mul(d, X), mul(a, Z)), s)), mul(b, m)), t1)
    z = add(add(add(mul(Z, c), mul(sub(mul(a, Y), mul(b, X)), s)), mul(d, m)), t2)
    depth = apply("recip", z)
    px, py = g.neg(mul(x, depth)), g.neg(mul(y, depth))
    r2 = add(mul(px, px), mul(py, py))
    scale = mul(f, add(g.const(1.0), mul(r2, add(k1, mul(k2, r2)))))
    wrt = [w0, w1, w2, t0, t1, t2, f, k1, k2, X, Y, Z]
    return [sub(mul(scale, px), u), sub(mul(scale, py), v)], wrt, 14


def data(name: str, rng: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray]]:
    """Parameters and columns with realistic values."""
    n = POINTS
    if name == "gauss":
        params = np.array([98.7, 0.0109, 100.5, 67.5, 23.1, 72.0, 179.0, 18.4])
        return params, [np.linspace(1.0, 250.0, n), rng.normal(50.0, 1.0, n)]
    spread = [(0, 0.3)] * 3 + [(0, 0.5), (0, 0.5), (-5, 0.5), (1000, 100), (0, 1e-3), (0, 1e-3)]
    spread += [(0, 0.7)] * 3 + [(0, 100)] * 2
    return np.zeros(0), [rng.normal(center, width, n) for center, width in spread]


def straight_line(outputs: list[Node], math: str) -> str:
    """Source of a function `run(p, x)` that evaluates the outputs, for compilers of Python."""
    from marquardt.expr.graph import reachable

    names: dict[Node, str] = {}
    lines = []
    infix = {"add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}"}
    infix |= {"neg": "-{}", "recip": "1.0 / {}", "square": "{0} * {0}", "eq": "{} == {}"}
    infix["select"] = "{1} if {0} else {2}" if math == "math" else "jnp.where({}, {}, {})"
    for node in reachable(outputs):
        if node.op == "const":
            names[node] = f"({node.value!r})"
        elif node.op in ("param", "data"):
            names[node] = f"{'p' if node.op == 'param' else 'x'}[{int(node.value)}]"
        else:
            form = infix.get(node.op, f"{math}.{node.op}(" + ", ".join(["{}"] * len(node.args)) + ")")
            names[node] = f"t{node.index}"
            lines.append(f"    t{node.index} = " + form.format(*(names[a] for a in node.args)))
    return "def run(p, x):\n" + "\n".join(lines) + f"\n    return ({', '.join(names[o] for o in outputs)},)\n"


def numba_runner(outputs: list[Node], params: np.ndarray, columns: list[np.ndarray]) -> Callable[[], object]:
    import math

    import numba

    space: dict[str, object] = {"math": math}
    exec(straight_line(outputs, "math"), space)
    point = numba.njit(space["run"], fastmath=False)
    table = np.ascontiguousarray(np.array(columns).T)
    out = np.empty((len(table), len(outputs)))

    @numba.njit
    def loop(p, x, out):  # type: ignore[no-untyped-def]
        for i in range(x.shape[0]):
            values = point(p, x[i])
            for k in range(out.shape[1]):
                out[i, k] = values[k]

    return lambda: loop(params, table, out)


def jax_runner(outputs: list[Node], params: np.ndarray, columns: list[np.ndarray]) -> Callable[[], object]:
    import jax

    jax.config.update("jax_enable_x64", True)
    space: dict[str, object] = {"jnp": jax.numpy}
    exec(straight_line(outputs, "jnp"), space)
    compiled = jax.jit(space["run"])
    p, x = jax.numpy.asarray(params), [jax.numpy.asarray(c) for c in columns]
    return lambda: jax.block_until_ready(compiled(p, x))


def contenders(name: str) -> dict[str, Callable[[], float]]:
    """Name -> a function that gives seconds for one evaluation of all points."""
    g = Graph()
    values, wrt, n_columns = (gauss if name == "gauss" else bal)(g)
    outputs = [*values, *(d for row in jacobian(g, values, wrt) for d in row)]
    params, columns = data(name, np.random.default_rng(0))
    s = lower(g, outputs, params.size, n_columns=n_columns)
    tape = _core.Tape(
        s.n_params, s.constants, s.prologue, s.n_inputs, s.code, s.n_registers, s.outputs, s.guards
    )
    repeat = 50

    def at(level: str) -> Callable[[], float]:
        return lambda: tape.time(level, params, columns, POINTS, repeat) / repeat

    def clock(run: Callable[[], object], repeat: int) -> Callable[[], float]:
        def seconds() -> float:
            start = time.perf_counter()
            for _ in range(repeat):
                run()
            return (time.perf_counter() - start) / repeat

        return seconds

    found: dict[str, Callable[[], float]] = {}
    for level in ("avx2", "avx512", "baseline"):
        try:
            at(level)()
        except ValueError:
            continue
        found[f"tape, {level}"] = at(level)
    numpy = compile_numpy(outputs)
    found["NumPy"] = clock(lambda: numpy(params, columns), 3)
    for peer, make in (("numba", numba_runner), ("JAX jit", jax_runner)):
        try:
            run = make(outputs, params, columns)
            run()
        except ImportError:
            print(f"({peer} is not installed: left out)")
            continue
        found[peer] = clock(run, 10)
    return found


def main() -> None:
    options = arguments("Residuals and derivatives per second beside NumPy, numba and JAX.")
    rows = []
    for name, label in (
        ("gauss", "double Gaussian + exponential, 1 + 8"),
        ("bal", "BAL reprojection, 2 + 2 x 12"),
    ):
        racers = contenders(name)
        times: dict[str, list[float]] = {racer: [] for racer in racers}
        for _ in range(5 if options.quick else 25):
            for racer, seconds in racers.items():
                times[racer].append(seconds())
        medians = {racer: statistics.median(t) / POINTS * 1e9 for racer, t in times.items()}
        base = medians.get("tape, avx2", medians["tape, baseline"])
        rows += [[label, racer, f"{ns:.1f}", f"{ns / base:.1f}"] for racer, ns in medians.items()]
    shown = table(["model, residuals + derivatives", "evaluated by", "ns per point", "ratio"], rows)
    peers = ", ".join(f"{peer} {known}" for peer in ("numba", "jax") if (known := installed(peer)))
    publish(
        f"# Evaluating a model and its derivatives\n\n{__doc__}\n{machine()}, {peers}.\n\n{shown}", options
    )


if __name__ == "__main__":
    main()
