"""A fit as plain data for JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..curve.result import FitResult


def record(fit: FitResult, level: float = 0.95) -> dict[str, Any]:
    """Estimates, uncertainties, goodness and ending; numbers that are not finite become None."""
    parameters = {
        p.name: {
            "value": p.value,
            "stderr": p.stderr,
            "interval": list(p.interval(level)),
            "start": p.start,
            "lower": p.lower,
            "upper": p.upper,
            "fixed": p.fixed,
            "at_bound": p.at_bound,
            "pull": p.pull,
            "expression": p.expression or None,
        }
        for p in fit.params.values()
    }
    goodness = asdict(fit.goodness)
    return {
        "model": fit.title,
        "success": fit.success,
        "unique": fit.unique,
        "status": fit.status.name,
        "message": fit.message,
        "advice": list(fit.advice),
        "parameters": plain(parameters),
        "derived": list(fit.derived),
        "free": list(fit.free_names),
        "covariance": plain(fit.covariance),
        "correlation": plain(fit.correlation),
        "level": level,
        "cost": plain(fit.cost),
        "chi2": plain(fit.chi2),
        "goodness": plain(goodness),
        "penalty": plain(_penalty(fit)),
        "loss": plain(_loss(fit)),
        "correlated": fit.correlated,
        "reweighting": None if fit.reweighting is None else plain(asdict(fit.reweighting)),
        "family": fit.family,
        "certificate": plain(fit.certificate.to_dict()),
        "derivative": fit.derivative,
        "linear_params": list(fit.linear_params),
        "nfev": fit.nfev,
        "njev": fit.njev,
        "n_accepted": fit.n_accepted,
        "dropped": fit.dropped,
    }


def _penalty(fit: FitResult) -> dict[str, Any] | None:
    penalty = fit.penalty
    if penalty is None:
        return None
    numbers = {f.name: getattr(penalty, f.name) for f in fields(penalty) if f.name != "parts"}
    parts = {p.name: {**asdict(p), "pull": p.pull, "conflict": p.conflict} for p in penalty.parts}
    return {"cost": penalty.cost, **numbers, "parts": parts}


def _loss(fit: FitResult) -> dict[str, Any] | None:
    if fit.loss is None:
        return None
    found = [asdict(o) for o in fit.outliers]
    return {"name": fit.loss.title, "f_scale": fit.loss.scale, "noise": fit.noise, "outliers": found}


def plain(value: Any) -> Any:
    """Only dicts, lists, strings, booleans, integers, finite floats and None.

    >>> plain({"a": np.array([1.0, np.inf])})
    {'a': [1.0, None]}
    """
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else None
