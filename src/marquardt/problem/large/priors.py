"""What is known of variables before, as residuals: the step from the mean, over sigma."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from .manifolds import Manifold
from .residuals import Residuals
from .variables import Prior, VariableFamily


def prior_residuals(family: VariableFamily, prior: Prior) -> Residuals:
    """``local(mean, x) / sigma`` for each variable that has a prior."""
    t = family.variables.manifold.tangent
    matrix = prior.scale[:, :, None] * np.eye(t)
    if (prior.scale == prior.scale[0]).all():
        matrix = matrix[:1]
    return Residuals(
        f"prior of {family.name}", _from_mean(family.variables.manifold), len(prior.items),
        ((family, prior.items.astype(np.uint32)),), (prior.mean,), (("slot", 0), ("data", 0)),
        sqrt_information=np.ascontiguousarray(matrix), sigma_known=True,
    )  # fmt: skip


@lru_cache(maxsize=64)
def _from_mean(manifold: Manifold) -> Callable[[Any, Any], Any]:
    """The same function for the same manifold: its trace is remembered by it."""
    local = manifold.local

    def from_mean(x: Any, mean: Any) -> Any:
        return local(mean, x)

    return from_mean
