"""Second-order forward differentiation in NumPy: derivatives for tests, independent of `marquardt.expr`."""

import numpy as np

_RULES = {  # value -> (f', f'') as functions of (x, f(x))
    np.exp: lambda x, f: (f, f),
    np.expm1: lambda x, f: (f + 1, f + 1),
    np.log: lambda x, f: (1 / x, -1 / x**2),
    np.sqrt: lambda x, f: (0.5 / f, -0.25 / (f * x)),
    np.sin: lambda x, f: (np.cos(x), -f),
    np.cos: lambda x, f: (-np.sin(x), -f),
    np.tanh: lambda x, f: (1 - f**2, -2 * f * (1 - f**2)),
    np.arctan: lambda x, f: (1 / (1 + x**2), -2 * x / (1 + x**2) ** 2),
    np.square: lambda x, f: (2 * x, 2 + 0 * x),
    np.reciprocal: lambda x, f: (-(f**2), 2 * f**3),
    np.negative: lambda x, f: (-1 + 0 * x, 0 * x),
}


class Jet:
    """A value (...), its gradient (n, ...) and its Hessian (n, n, ...)."""

    __array_priority__ = 100

    def __init__(self, v, g, h):
        self.v, self.g, self.h = v, g, h

    @staticmethod
    def variables(x):
        n = len(x)
        return [Jet(np.float64(x[i]), np.eye(n)[i][:, None], np.zeros((n, n, 1))) for i in range(n)]

    def chain(self, f, d1, d2):
        return Jet(f, d1 * self.g, d1 * self.h + d2 * self.g[:, None] * self.g[None, :])

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if method != "__call__" or kwargs:
            return NotImplemented
        if ufunc in _RULES:
            f = ufunc(self.v)
            return self.chain(f, *_RULES[ufunc](self.v, f))
        a, b = inputs
        if ufunc is np.power and not isinstance(b, Jet):
            return a.chain(a.v**b, b * a.v ** (b - 1), b * (b - 1) * a.v ** (b - 2))
        if ufunc is np.power:
            return np.exp(b * np.log(a))
        if ufunc is np.divide:
            return a / b if not isinstance(b, Jet) else a * np.reciprocal(b)
        a, b = lift(a, inputs), lift(b, inputs)
        if ufunc is np.multiply:
            cross = a.g[:, None] * b.g[None, :]
            return Jet(
                a.v * b.v, a.g * b.v + a.v * b.g, a.h * b.v + a.v * b.h + cross + cross.transpose(1, 0, 2)
            )
        sign = {np.add: 1, np.subtract: -1}[ufunc]
        return Jet(a.v + sign * b.v, a.g + sign * b.g, a.h + sign * b.h)

    def __getitem__(self, rows):
        return Jet(self.v[rows], self.g[..., rows], self.h[..., rows])

    def __truediv__(self, b):
        return self * np.reciprocal(b) if isinstance(b, Jet) else Jet(self.v / b, self.g / b, self.h / b)

    def __rtruediv__(self, a):
        return a * np.reciprocal(self)

    def __neg__(self):
        return Jet(-self.v, -self.g, -self.h)

    def __add__(self, other):
        return np.add(self, other)

    def __radd__(self, other):
        return np.add(other, self)

    def __sub__(self, other):
        return np.subtract(self, other)

    def __rsub__(self, other):
        return np.subtract(other, self)

    def __mul__(self, other):
        return np.multiply(self, other)

    def __rmul__(self, other):
        return np.multiply(other, self)

    def __pow__(self, other):
        return np.power(self, other)

    def __rpow__(self, other):
        return np.exp(self * np.log(other))


def lift(a, inputs):
    if isinstance(a, Jet):
        return a
    like = next(j for j in inputs if isinstance(j, Jet))
    return Jet(np.asarray(a, float), np.zeros_like(like.g), np.zeros_like(like.h))


class Exact:
    """Residuals with all derivatives of ``function(parameters) -> residuals``."""

    def __init__(self, function):
        self.function, self.nf, self.nj = function, 0, 0

    def jet(self, x):
        j = self.function(Jet.variables(x))
        m = np.size(j.v)
        n = len(x)
        return np.broadcast_to(j.v, m), np.broadcast_to(j.g, (n, m)), np.broadcast_to(j.h, (n, n, m))

    def residuals(self, x):
        self.nf += 1
        with np.errstate(all="ignore"):
            return np.array(self.function([np.float64(v) for v in x]), float)

    def jacobian(self, x):
        self.nj += 1
        with np.errstate(all="ignore"):
            return np.ascontiguousarray(self.jet(x)[1].T)

    def f_vv(self, x, v):
        with np.errstate(all="ignore"):
            return np.einsum("ijm,i,j->m", self.jet(x)[2], v, v)

    def hessian(self, x, f):
        with np.errstate(all="ignore"):
            return self.jet(x)[2] @ f
