"""Small matrices and vectors: dot, matmul, norm, cross, outer, einsum, polynomials, inverses."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from typing import Any

import numpy as np

from .symbol import Symbol, current, lift


def matmul(a: Symbol, b: Symbol) -> Symbol:
    """``a @ b`` as sums over the shared axis."""
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError("matmul: Input operand does not have enough dimensions")
    left = a[None, :] if a.ndim == 1 else a
    right = b[:, None] if b.ndim == 1 else b
    if left.shape[-1] != right.shape[-2]:
        raise ValueError(
            f"matmul: mismatch in core dimension (size {right.shape[-2]} is different from {left.shape[-1]})"
        )
    from .ufuncs import call

    result: Any = None
    n = left.shape[-1]
    if n > 2000:
        a.ctx.abort(f"a product over {n} rows")
    for k in range(n):
        term = call("multiply", left[..., :, k : k + 1], right[..., k : k + 1, :])
        result = term if result is None else call("add", result, term)
    if a.ndim == 1:
        result = result[..., 0, :]
    return result[..., 0] if b.ndim == 1 else result


def dot(a: Any, b: Any, **_: Any) -> Symbol:
    from .ufuncs import call

    ctx = current()
    a, b = lift(ctx, a), lift(ctx, b)
    if a.ndim == 0 or b.ndim == 0:
        return call("multiply", a, b)
    if b.ndim <= 2:
        return matmul(a, b)
    ctx.abort("dot")


def norm(x: Symbol, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Symbol:
    from .reduce import fold, total
    from .ufuncs import call

    size = call("absolute", x)
    if ord == 1 and (x.ndim == 1 or axis is not None):
        return total(size, axis, keepdims)
    if ord in (np.inf, -np.inf) and (x.ndim == 1 or axis is not None):
        return fold(size, "maximum" if ord > 0 else "minimum", axis, keepdims)
    if ord not in (None, 2, "fro") or (ord == 2 and x.ndim > 1 and axis is None):
        x.ctx.abort("linalg.norm")
    return call("sqrt", total(call("square", size), axis, keepdims))


def cross(a: Any, b: Any, **_: Any) -> Symbol:
    from .shapes import stack

    ctx = current()
    a, b = lift(ctx, a), lift(ctx, b)
    if a.shape[-1] == b.shape[-1] == 2:
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    x, y, z = (a[..., k] for k in range(3))
    u, v, w = (b[..., k] for k in range(3))
    return stack([y * w - z * v, z * u - x * w, x * v - y * u], -1)


def outer(a: Any, b: Any, **_: Any) -> Symbol:
    from .shapes import ravel
    from .ufuncs import call

    ctx = current()
    return call("multiply", ravel(lift(ctx, a))[:, None], ravel(lift(ctx, b))[None, :])


def polyval(p: Any, x: Any) -> Any:
    """Horner's rule, the highest power first."""
    result: Any = x * 0 if not isinstance(x, (int, float)) else 0.0
    for coefficient in p:
        result = result * x + coefficient
    return result


def polynomial_value(x: Any, c: Any, **_: Any) -> Any:
    """numpy.polynomial's order: the lowest power first."""
    items = list(c)
    result: Any = items[-1] + x * 0
    for coefficient in items[-2::-1]:
        result = coefficient + result * x
    return result


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Symbol:
    from .shapes import stack

    powers = range(N or len(x)) if increasing else range((N or len(x)) - 1, -1, -1)
    return stack([x**k for k in powers], -1)


def determinant(a: Symbol) -> Symbol:
    n = a.shape[-1]
    if a.shape[-2:] != (n, n) or n > 3:
        a.ctx.abort("linalg.det")
    if n == 1:
        return a[..., 0, 0]
    if n == 2:
        return a[..., 0, 0] * a[..., 1, 1] - a[..., 0, 1] * a[..., 1, 0]
    return sum((a[..., 0, k] * _cofactor(a, 0, k) for k in range(3)), 0.0)  # type: ignore[return-value]


def _cofactor(a: Symbol, i: int, j: int) -> Symbol:
    rows = [r for r in range(a.shape[-1]) if r != i]
    cols = [c for c in range(a.shape[-1]) if c != j]
    if len(rows) == 1:
        minor = a[..., rows[0], cols[0]]
    else:
        minor = (
            a[..., rows[0], cols[0]] * a[..., rows[1], cols[1]]
            - a[..., rows[0], cols[1]] * a[..., rows[1], cols[0]]
        )
    return -minor if (i + j) % 2 else minor


def inverse(a: Symbol) -> Symbol:
    """By cofactors, for up to 3 x 3."""
    from .shapes import stack

    n = a.shape[-1]
    if a.shape[-2:] != (n, n) or n > 3 or n < 2:
        a.ctx.abort("linalg.inv")
    det = determinant(a)
    return stack([stack([_cofactor(a, j, i) / det for j in range(n)], -1) for i in range(n)], -2)


def solve(a: Any, b: Any) -> Symbol:
    """Gaussian elimination in the order that partial pivoting takes now, for small systems."""
    ctx = current()
    a, b = lift(ctx, a), lift(ctx, b)
    n = a.shape[-1]
    if a.ndim != 2 or n > 8 or b.ndim > 2:
        ctx.abort("linalg.solve")
    rows = [[a[i, j] for j in range(n)] + [b[i]] for i in range(n)]
    for k in range(n):
        pivot = max(range(k, n), key=lambda i: abs(complex(rows[i][k].concrete())))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for i in range(k + 1, n):
            ratio = rows[i][k] / rows[k][k]
            rows[i] = [
                x if j <= k else x - ratio * y for j, (x, y) in enumerate(zip(rows[i], rows[k], strict=True))
            ]
    x: list[Any] = [None] * n
    for k in range(n - 1, -1, -1):
        rest = rows[k][n]
        for j in range(k + 1, n):
            rest = rest - rows[k][j] * x[j]
        x[k] = rest / rows[k][k]
    from .shapes import stack

    return stack(x)


def matrix_power(a: Symbol, n: int) -> Symbol:
    if n < 1:
        a.ctx.abort("matrix_power")
    result = a
    for _ in range(n - 1):
        result = matmul(result, a)
    return result


def kron(a: Any, b: Any) -> Symbol:
    from .shapes import ravel

    a, b = lift(current(), a), lift(current(), b)
    if a.ndim > 1 or b.ndim > 1:
        current().abort("kron")
    return ravel(outer(a, b))


def einsum(subscripts: Any, *operands: Any, **_: Any) -> Symbol:
    """Products summed over the letters missing from the output."""
    from .reduce import total
    from .shapes import transpose
    from .ufuncs import call

    ctx = current()
    if not isinstance(subscripts, str) or "..." in subscripts:
        ctx.abort("einsum")
    text = subscripts.replace(" ", "")
    inputs, output = text.partition("->")[::2]
    terms = inputs.split(",")
    if "->" not in text:
        output = "".join(sorted(c for c in set(inputs) - {","} if inputs.count(c) == 1))
    letters = output + "".join(sorted(set(inputs) - set(output) - {","}))
    result: Any = None
    for term, operand in zip(terms, operands, strict=True):
        if len(set(term)) != len(term):
            ctx.abort("einsum")
        order = sorted(range(len(term)), key=lambda k, term=term: letters.index(term[k]))  # type: ignore[misc]
        turned = transpose(lift(ctx, operand), order)
        factor = turned[tuple(slice(None) if c in term else None for c in letters)]
        result = factor if result is None else call("multiply", result, factor)
    summed = tuple(range(len(output), len(letters)))
    return total(result, summed) if summed else result
