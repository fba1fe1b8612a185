"""Write core/tests/data/kernels.txt: arguments and exact values for the accuracy test of the vector kernels.

Run: python core/tools/accuracy_table.py   (needs mpmath and NumPy; about a minute)

Each line holds a name, the bits of the arguments, and the bits of the result in two parts whose sum has some
107 correct bits (the second part is 0 for infinities and NaN). Special values follow NumPy and SciPy.
"""

import struct
from pathlib import Path

import mpmath as mp
import numpy as np
import scipy.special as sp

mp.mp.dps = 50
TARGET = Path(__file__).resolve().parents[1] / "tests" / "data" / "kernels.txt"
RNG = np.random.default_rng(20240611)
SPECIAL = [
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    2.2e-308,
    -1e-300,
    1e-20,
    -1e-20,
    0.5,
    -0.5,
    1.0,
    -1.0,
    2.0,
    -3.0,
    27.0,
    -40.0,
    709.782712893384,
    709.8,
    -708.5,
    -745.13,
    -745.2,
    1e15,
    -1e17,
    1e22,
    1e300,
    -1e300,
    1.7e308,
    float("inf"),
    float("-inf"),
    float("nan"),
]
UNIFORM = [(-1, 1), (-10, 10), (-700, 700)]
N = 60


def uniform(*ranges):
    return np.concatenate([RNG.uniform(lo, hi, N) for lo, hi in ranges])


def magnitudes(lo, hi):
    return np.exp2(RNG.uniform(lo, hi, N))


near_zero = np.concatenate([magnitudes(-60, -1), -magnitudes(-60, -1)])
turns = np.rint(RNG.uniform(-3e5, 3e5, N)) * (np.pi / 2)
wide = np.concatenate([uniform(*UNIFORM), near_zero])
angles = np.concatenate([uniform((-1, 1), (-10, 10), (-1e6, 1e6)), turns, magnitudes(20, 900), near_zero])
positive = np.concatenate([uniform((0.5, 2), (0.99, 1.01), (0, 100)), magnitudes(-1074, 1023)])
unit = np.concatenate([uniform((-1, 1), (0.99, 1), (-1, -0.99)), near_zero])
tails = np.concatenate([uniform((-1, 1), (-6, 6), (5, 27), (-27, -5)), near_zero])
UNARY = {
    "exp": (mp.exp, np.exp, np.concatenate([wide, uniform((-745, -700), (700, 709.7))])),
    "exp2": (
        lambda x: mp.mpf(2) ** x,
        np.exp2,
        np.concatenate([wide, uniform((-1074, -1000), (1000, 1023.9))]),
    ),
    "expm1": (mp.expm1, np.expm1, wide),
    "sinh": (mp.sinh, np.sinh, wide),
    "cosh": (mp.cosh, np.cosh, wide),
    "tanh": (mp.tanh, np.tanh, wide),
    "log": (mp.log, np.log, positive),
    "log2": (lambda x: mp.log(x) / mp.log(2), np.log2, positive),
    "log10": (mp.log10, np.log10, positive),
    "log1p": (
        mp.log1p,
        np.log1p,
        np.concatenate([uniform((-0.99, 1), (0, 100)), near_zero, magnitudes(0, 1000)]),
    ),
    "sin": (mp.sin, np.sin, angles),
    "cos": (mp.cos, np.cos, angles),
    "tan": (mp.tan, np.tan, angles),
    "arcsin": (mp.asin, np.arcsin, unit),
    "arccos": (mp.acos, np.arccos, unit),
    "arctan": (mp.atan, np.arctan, np.concatenate([uniform((-1, 1), (-5, 5), (-1000, 1000)), near_zero])),
    "erf": (mp.erf, sp.erf, tails),
    "erfc": (mp.erfc, sp.erfc, tails),
    "erfcx": (
        lambda x: mp.exp(x**2) * mp.erfc(x),
        sp.erfcx,
        np.concatenate([uniform((-5, 5), (0, 50)), near_zero]),
    ),
    "expit": (lambda x: 1 / (1 + mp.exp(-x)), sp.expit, wide),
    "log_expit": (lambda x: -mp.log1p(mp.exp(-x)), sp.log_expit, wide),
    "arcsinh": (mp.asinh, np.arcsinh, wide),
    "arctanh": (mp.atanh, np.arctanh, unit),
    "arccosh": (mp.acosh, np.arccosh, uniform((1, 2), (1, 100))),
    "cbrt": (lambda x: mp.sign(x) * mp.cbrt(abs(x)), np.cbrt, wide),
    "sqrt": (mp.sqrt, np.sqrt, positive),
}


def array_power(x, y):
    """NumPy takes the square root for a lone exponent of 1/2, with other signs at 0 and inf than C99."""
    return np.power(np.array([x, x]), np.array([y, 1.25]))[0]


EDGES = [
    0.0,
    -0.0,
    5e-324,
    -2.2e-308,
    0.5,
    -0.5,
    1.0,
    -1.0,
    2.0,
    3.0,
    -3.0,
    4503599627370497.0,
    9007199254740993.0,
    1e300,
    -1e300,
    float("inf"),
    float("-inf"),
    float("nan"),
]
EDGE_PAIRS = [(a, b) for a in EDGES for b in EDGES]
BINARY = {
    "pow": (
        mp.power,
        array_power,
        list(
            zip(
                np.concatenate(
                    [uniform((0, 10)), magnitudes(-300, 300), 1 + uniform((-1e-3, 1e-3)), -uniform((0.1, 10))]
                ),
                np.concatenate([uniform((-5, 5), (-3, 3), (-6e5, 6e5)), np.rint(uniform((-20, 20)))]),
                strict=False,
            )
        ),
    ),
    "arctan2": (
        mp.atan2,
        np.arctan2,
        list(
            zip(
                np.concatenate([uniform((-1, 1), (-5, 5)), magnitudes(-500, 500)]),
                np.concatenate([uniform((-1, 1), (-5, 5)), magnitudes(-500, 500)]),
                strict=False,
            )
        ),
    ),
    "hypot": (
        mp.hypot,
        np.hypot,
        list(
            zip(
                np.concatenate([uniform((-1, 1)), magnitudes(-1000, 1000)]),
                np.concatenate([uniform((-5, 5)), magnitudes(-1000, 1000)]),
                strict=False,
            )
        ),
    ),
}


def bits(x):
    return format(struct.unpack("<Q", struct.pack("<d", x))[0], "016x")


def value(f, numpy_f, args):
    """The result in two parts; NumPy's where it is infinite or NaN or an argument is 0."""
    with np.errstate(all="ignore"):
        plain = float(numpy_f(*args))
    if 0 in args or not np.isfinite(plain) or not all(np.isfinite(args)):
        return plain, 0.0
    try:
        exact = f(*(mp.mpf(float(a)) for a in args))
    except OverflowError:  # mpmath gives up where the function has long been constant
        return plain, 0.0
    head = float(exact)
    if head == 0 or not np.isfinite(head):
        return plain, 0.0
    return head, float(exact - mp.mpf(head))


def main():
    lines = []
    for name, (f, numpy_f, points) in UNARY.items():
        for x in [*SPECIAL, *points.tolist()]:
            head, tail = value(f, numpy_f, (x,))
            lines.append(f"{name} {bits(x)} {bits(head)} {bits(tail)}")
    for name, (f, numpy_f, points) in BINARY.items():
        for x, y in [*EDGE_PAIRS, *((float(x), float(y)) for x, y in points)]:
            head, tail = value(f, numpy_f, (x, y))
            lines.append(f"{name} {bits(x)} {bits(y)} {bits(head)} {bits(tail)}")
    TARGET.write_text("\n".join(lines) + "\n")
    print(len(lines), "lines")


if __name__ == "__main__":
    main()
