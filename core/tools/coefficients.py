"""Fit the polynomial coefficients of the vector kernels and write core/src/tape/math/coefficients.rs.

Run: python core/tools/coefficients.py   (needs mpmath and NumPy; about half a minute)

Each polynomial interpolates its function at Chebyshev nodes in 60-digit arithmetic, which is within
a small factor of the best uniform approximation; the printed error is relative to the whole function,
sampled after the coefficients were rounded to f64. Enough terms are taken that it stays below 2^-56.
"""

from pathlib import Path

import mpmath as mp
import numpy as np

mp.mp.dps = 60
TARGET = Path(__file__).resolve().parents[1] / "src" / "tape" / "math" / "coefficients.rs"


def fit(f, lo, hi, n):
    """Coefficients, lowest first, of the polynomial of degree n - 1 through n Chebyshev nodes."""
    lo, hi = mp.mpf(lo), mp.mpf(hi)
    middle, half = (lo + hi) / 2, (hi - lo) / 2
    nodes = [middle + half * mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    table = [f(x) for x in nodes]  # Newton's divided differences, then expanded
    for k in range(1, n):
        for i in range(n - 1, k - 1, -1):
            table[i] = (table[i] - table[i - 1]) / (nodes[i] - nodes[i - k])
    c = [table[-1]]
    for i in range(n - 2, -1, -1):
        c = [mp.mpf(0), *c]
        for k in range(len(c) - 1):
            c[k] -= nodes[i] * c[k + 1]
        c[0] += table[i]
    return c


def series(f, start):
    """f with the removable singularity at 0 replaced by its limit, the argument `start`."""
    return lambda x: f(x) if abs(x) > mp.mpf(10) ** -18 else mp.mpf(start)


# name, terms, function fitted, interval, what it serves, and how the error enters the result
def rows():
    ln2 = mp.log(2) / 2 * mp.mpf("1.001")
    s2 = (mp.sqrt(2) - 1) ** 2 / (mp.sqrt(2) + 1) ** 2 * mp.mpf("1.001")  # z = (f/(2+f))^2
    q = (mp.pi / 4) ** 2 * mp.mpf("1.001")
    t8 = mp.tan(mp.pi / 8) ** 2 * mp.mpf("1.001")
    r = mp.sqrt
    log_tail = series(lambda z: (mp.log((1 + r(z)) / (1 - r(z))) / r(z) - 2) / z, mp.mpf(2) / 3)

    def log_tail2(z):
        return (log_tail(z) - mp.mpf(2) / 3) / z if z > 1e-12 else mp.mpf(2) / 5

    yield (
        "EXP",
        10,
        series(lambda x: (mp.exp(x) - 1 - x) / x**2, 0.5),
        -ln2,
        ln2,
        "exp(r) = 1 + r + r^2 P(r), |r| <= ln(2)/2",
        lambda x: x**2 / mp.exp(x),
    )
    yield (
        "EXPM1",
        11,
        series(lambda x: (mp.exp(x) - 1 - x - x * x / 2) / x**3, mp.mpf(1) / 6),
        -ln2,
        ln2,
        "expm1(r) = r + r^2/2 + r^3 P(r), |r| <= ln(2)/2",
        lambda x: x**3 / mp.expm1(x),
    )
    yield ("LOG", 8, log_tail, 0, s2, "log((1+s)/(1-s)) = 2s + s z P(z), z = s^2", lambda z: z / 2)
    yield (
        "LOG_DD",
        9,
        log_tail2,
        0,
        s2,
        "log((1+s)/(1-s)) = 2s + 2/3 s^3 + s^5 P(z), z = s^2",
        lambda z: z * z / 2,
    )
    yield (
        "SIN",
        6,
        series(lambda z: (mp.sin(r(z)) / r(z) - 1) / z, mp.mpf(-1) / 6),
        0,
        q,
        "sin(x) = x + x^3 P(x^2), |x| <= pi/4",
        lambda z: z * r(z) / mp.sin(r(z)) if z else mp.mpf(0),
    )
    yield (
        "COS",
        6,
        series(lambda z: (mp.cos(r(z)) - 1 + z / 2) / z**2, mp.mpf(1) / 24),
        0,
        q,
        "cos(x) = 1 - x^2/2 + x^4 P(x^2), |x| <= pi/4",
        lambda z: z**2 / mp.cos(r(z)),
    )
    yield (
        "ATAN",
        14,
        series(lambda z: (mp.atan(r(z)) / r(z) - 1) / z, mp.mpf(-1) / 3),
        0,
        t8,
        "arctan(t) = t + t^3 P(t^2), |t| <= tan(pi/8)",
        lambda z: z,
    )
    yield (
        "ASIN",
        15,
        series(lambda z: (mp.asin(r(z)) / r(z) - 1) / z, mp.mpf(1) / 6),
        0,
        0.2501,
        "arcsin(x) = x + x^3 P(x^2), |x| <= 1/2",
        lambda z: z,
    )
    yield (
        "SINH",
        8,
        series(lambda z: (mp.sinh(r(z)) / r(z) - 1) / z, mp.mpf(1) / 6),
        0,
        1.001,
        "sinh(x) = x + x^3 P(x^2), |x| <= 1",
        lambda z: z,
    )
    yield (
        "ERF",
        14,
        series(lambda z: mp.erf(r(z)) / r(z) - 1, 2 / mp.sqrt(mp.pi) - 1),
        0,
        1.001,
        "erf(x) = x + x P(x^2), |x| <= 1",
        lambda z: r(z) / mp.erf(r(z)) if z else mp.mpf(1),
    )
    yield (
        "ERFCX",
        27,
        erfcx_of_q,
        -1,
        1,
        "exp(x^2) erfc(x) (1 + 2x) = 1 + P(q), q = (x-4)/(x+4), x >= 0",
        lambda q: mp.mpf(1),
    )


def erfcx_of_q(q):
    if 1 - q < mp.mpf(10) ** -12:
        return 2 / mp.sqrt(mp.pi) - 1
    x = 4 * (1 + q) / (1 - q)
    if x > 60:  # asymptotic series
        t, total = mp.mpf(1), mp.mpf(1)
        for k in range(1, 40):
            t *= -(2 * k - 1) / (2 * x * x)
            total += t
        return total / (x * mp.sqrt(mp.pi)) * (1 + 2 * x) - 1
    return mp.exp(x * x) * mp.erfc(x) * (1 + 2 * x) - 1


def split(value, bits):
    """The leading part of `value` with `bits` mantissa bits, and the rest."""
    m, e = mp.frexp(value)
    head = mp.ldexp(mp.floor(m * 2**bits), e - bits)
    return head, value - head


def constants():
    ln2, half_pi = mp.log(2), mp.pi / 2
    head, tail = split(ln2, 32)
    yield "LN2_HI", head, "32 bits: k * LN2_HI is exact"
    yield "LN2_LO", tail, "ln 2 - LN2_HI"
    a, rest = split(half_pi, 33)
    b, rest = split(rest, 33)
    c, rest = split(rest, 33)
    yield "PIO2_1", a, "first 33 bits of pi/2: n * PIO2_1 is exact for |n| < 2^20"
    yield "PIO2_2", b, "next 33 bits"
    yield "PIO2_3", c, "next 33 bits"
    yield "PIO2_4", rest, "what is left"
    for name, value in (
        ("FRAC_PI_2", mp.pi / 2),
        ("FRAC_PI_4", mp.pi / 4),
        ("PI", mp.pi),
        ("LOG2_E", 1 / ln2),
        ("LOG10_E", 1 / mp.log(10)),
        ("LN_2", ln2),
        ("TWO_THIRDS", mp.mpf(2) / 3),
    ):
        yield f"{name}_TAIL", value - mp.mpf(float(value)), f"{name} minus its f64 value"


SINGLE = {"EXP": 5, "LOG": 4}
"""Terms of the kernels of single precision, whose error is to stay below 2^-26."""


def main():
    out = ["//! Generated by core/tools/coefficients.py; do not edit.", ""]
    for name, value, note in constants():
        out += [f"/// {note}", f"pub const {name}: f64 = {float(value)!r};"]
    polynomials = [(*row, "f64") for row in rows()]
    for name, _, *row in rows():
        if name in SINGLE:
            polynomials.append((f"{name}_SINGLE", SINGLE[name], *row, "f32"))
    for name, n, f, lo, hi, note, weight, kind in polynomials:
        rounded = float if kind == "f64" else np.float32
        c = [float(rounded(v)) for v in fit(f, lo, hi, n)]
        worst = mp.mpf(0)
        for i in range(400):
            x = mp.mpf(lo) + (mp.mpf(hi) - mp.mpf(lo)) * (i + mp.mpf("0.37")) / 400
            p = mp.polyval([mp.mpf(v) for v in reversed(c)], x)
            worst = max(worst, abs(p - f(x)) * abs(weight(x)))
        bits = float(mp.log(worst, 2))
        print(f"{name:8s} {n:3d} terms, relative error 2^{bits:.1f}")
        out += ["", f"/// {note}; relative error 2^{bits:.1f}", f"pub const {name}: [{kind}; {n}] = ["]
        out += [f"    {rounded(v)!s}," for v in c] + ["];"]
    TARGET.write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
