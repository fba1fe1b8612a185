"""Least-squares programs behind one signature, for benchmarks that ask each for the same thing."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from harness import installed
from numpy.typing import NDArray

import marquardt as mq

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """Residuals ``function(parameters)``, or with data those of ``function(*x, *parameters)``."""

    function: Callable[..., Any]
    start: Vector | None
    x: tuple[Vector, ...] = ()
    y: Vector | None = None
    bounds: tuple[Vector, Vector] | None = None

    def residuals(self, parameters: Any) -> Any:
        if self.y is None:
            return self.function(parameters)
        return self.function(*self.x, *parameters) - self.y

    def cost(self, parameters: Any) -> float:
        with np.errstate(all="ignore"):
            f = np.asarray(self.residuals(np.asarray(parameters, float)), float)
            cost = 0.5 * float(f @ f)
        return cost if np.isfinite(cost) else np.inf


@dataclass(frozen=True)
class End:
    """Where a program ended; x is None where it raised an error."""

    x: Vector | None
    claimed: bool
    evaluations: int


FAILED = (RuntimeError, ValueError, FloatingPointError, ArithmeticError, np.linalg.LinAlgError, TypeError)
Solver = Callable[[Task], End]


@dataclass
class Counted:
    function: Callable[..., Any]
    count: int = field(default=0)

    def __call__(self, *args: Any) -> Any:
        self.count += 1
        return self.function(*args)


def marquardt(task: Task) -> End:
    try:
        if task.y is not None:
            x = task.x if len(task.x) > 1 else task.x[0]
            start = None if task.start is None else task.start.tolist()
            fit = mq.fit(task.function, x, task.y, start=start)
            return End(np.asarray(fit.x), fit.success, fit.nfev + fit.njev)
        limits = {} if task.bounds is None else {"bounds": task.bounds}
        end = mq.least_squares(task.function, task.start, **limits)
        return End(np.asarray(end.x), end.success, end.nfev + end.njev)
    except mq.MarquardtError:
        return End(None, False, 0)


def scipy(method: str) -> Solver:
    """`curve_fit` for curves, `least_squares` for residuals."""

    def solve(task: Task) -> End:
        from scipy.optimize import curve_fit, least_squares

        limits = {} if task.bounds is None else {"bounds": task.bounds}
        curve = task.y is not None
        counted = Counted((lambda _, *p: task.function(*task.x, *p)) if curve else task.residuals)
        try:
            if curve:
                x, _ = curve_fit(counted, task.x[0], task.y, p0=task.start, method=method)
                return End(x, True, counted.count)
            end = least_squares(counted, task.start, method=method, **limits)
            return End(end.x, bool(end.success), counted.count)
        except FAILED:
            return End(None, False, counted.count)

    return solve


def lmfit(task: Task) -> End:
    """`minimize` with its default, MINPACK by way of SciPy; bounds by the transformation of MINUIT."""
    import lmfit

    assert task.start is not None
    parameters = lmfit.Parameters()
    lower, upper = task.bounds or (np.full(task.start.size, -np.inf), np.full(task.start.size, np.inf))
    for k, value in enumerate(task.start.tolist()):
        parameters.add(f"p{k}", value=value, min=lower[k], max=upper[k])
    counted = Counted(task.residuals)
    try:
        result = lmfit.minimize(
            lambda p: np.asarray(counted(np.array([v.value for v in p.values()]))), parameters
        )
    except FAILED:
        return End(None, False, counted.count)
    x = np.array([v.value for v in result.params.values()])
    return End(x, bool(result.success), counted.count)


@cache
def _module_in_jax(name: str) -> ModuleType:
    """The module once more, with jax.numpy where it says np."""
    import jax

    jax.config.update("jax_enable_x64", True)
    found = importlib.util.find_spec(name)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[f"{name} in jax"] = module
    known = sys.modules.get(name)
    sys.modules[name] = module  # its dataclasses look themselves up by name
    try:
        found.loader.exec_module(module)
    finally:
        if known is not None:
            sys.modules[name] = known
    module.np = jax.numpy  # type: ignore[attr-defined]
    return module


def in_jax(function: Callable[..., Any]) -> Callable[..., Any]:
    return getattr(_module_in_jax(function.__module__), function.__name__)  # type: ignore[no-any-return]


@cache
def _optimistix_of(function: Callable[..., Any], curve: bool) -> Callable[..., Any]:
    import jax
    import optimistix

    translated = in_jax(function)

    def residuals(parameters: Any, data: Any) -> Any:
        if not curve:
            return translated(parameters)
        x, y = data
        return translated(*x, *parameters) - y

    solver = optimistix.LevenbergMarquardt(rtol=1e-8, atol=1e-8)

    @jax.jit
    def solve(start: Any, data: Any) -> Any:
        end = optimistix.least_squares(residuals, solver, start, data, throw=False)
        return end.value, end.result == optimistix.RESULTS.successful, end.stats["num_steps"]

    return solve


def optimistix(task: Task) -> End:
    """Levenberg-Marquardt, rtol = atol = 1e-8 (it has no default). A step is a residual and a Jacobian."""
    solve = _optimistix_of(task.function, task.y is not None)
    try:
        x, claimed, steps = solve(task.start, (task.x, task.y))
    except FAILED:
        return End(None, False, 0)
    return End(np.asarray(x, float), bool(claimed), 2 * int(steps))


@cache
def _nlsq_of(function: Callable[..., Any]) -> Any:
    import nlsq

    for name in logging.root.manager.loggerDict:
        if name.startswith("nlsq"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    translated = in_jax(function)
    return nlsq.CurveFit(), lambda x, *parameters: translated(*(x if x.ndim == 2 else (x,)), *parameters)


def nlsq(task: Task) -> End:
    """`CurveFit`, one object per model, so that it compiles once."""
    fitter, model = _nlsq_of(task.function)
    x = np.stack(task.x) if len(task.x) > 1 else task.x[0]
    try:
        found = fitter.curve_fit(model, x, task.y, p0=task.start)
    except FAILED:
        return End(None, False, 0)
    return End(np.asarray(found.x, float), bool(found.success), int(found.nfev + found.njev))


@dataclass(frozen=True)
class Peer:
    """A program, and what it can be asked for: bounds, residuals that are no curve, no bounds."""

    package: str
    solve: Solver
    bounds: bool = True
    residuals: bool = True
    unbounded: bool = True


PEERS = {
    "marquardt": Peer("marquardt", marquardt),
    "scipy lm": Peer("scipy", scipy("lm"), bounds=False),
    "scipy trf": Peer("scipy", scipy("trf")),
    "scipy dogbox": Peer("scipy", scipy("dogbox"), unbounded=False),
    "lmfit": Peer("lmfit", lmfit),
    "optimistix": Peer("optimistix", optimistix, bounds=False),
    "nlsq": Peer("nlsq", nlsq, bounds=False, residuals=False),
}


def present() -> dict[str, Peer]:
    return {name: peer for name, peer in PEERS.items() if installed(peer.package)}


def absent() -> list[str]:
    return sorted({peer.package for peer in PEERS.values() if not installed(peer.package)})
