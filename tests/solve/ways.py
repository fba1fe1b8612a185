"""The same minimization four ways: as a curve or as residuals, traced or called back."""

import functools

import numpy as np

import marquardt as mq

WAYS = ("fit, traced", "fit, called back", "least_squares, traced", "least_squares, called back")
PATHS = ("traced", "called back")


def opaque(residuals):
    """The same residuals, made so that they cannot be traced: the parameters pass through text."""

    def called(x):
        return residuals(np.array([float(f"{value:.17g}") for value in x]))

    return called


def opaque_model(model):
    """The same curve, made so that it cannot be traced."""

    @functools.wraps(model)
    def called(t, *args, **parameters):
        values = [float(f"{value:.17g}") for value in (*args, *parameters.values())]
        return model(t, *values)

    return called


def solve(path, residuals, x0, **options):
    """`residuals` minimized on one of the paths."""
    return mq.least_squares(residuals if path == "traced" else opaque(residuals), x0, **options)


def end(way, model, t, y, start, **options):
    """`model(t, *parameters)` fitted to `y`, one of the four ways."""
    if way.startswith("least_squares"):
        return solve(way.split(", ")[1], lambda x: model(t, *x) - y, start, **options)
    return mq.fit(model if way == "fit, traced" else opaque_model(model), t, y, start=start, **options)
