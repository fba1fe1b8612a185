"""The keyword arguments that ``curve_fit`` passes on, as `Settings`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import handover
from .checks import check_choices, check_scale, tolerances
from .leastsq import LEASTSQ, step_of
from .losses import chosen_loss
from .run import DEFAULT, Settings

LM_NAMES = frozenset({"ftol", "xtol", "gtol", "maxfev", "epsfcn", "factor", "diag"})
TRF_NAMES = frozenset({
    "ftol", "xtol", "gtol", "x_scale", "loss", "f_scale", "diff_step", "tr_solver", "tr_options",
    "jac_sparsity", "max_nfev", "maxfev", "verbose", "callback", "workers",
})  # fmt: skip


def of_leastsq(kwargs: Mapping[str, Any]) -> Settings:
    """Those of `leastsq`. Raises TypeError for a name it does not have."""
    if not kwargs:
        return LEASTSQ
    _refuse_unknown(kwargs, LM_NAMES, "lm")
    ftol, xtol, gtol = (float(kwargs.get(name, getattr(LEASTSQ, name))) for name in ("ftol", "xtol", "gtol"))
    limit, step = kwargs.get("maxfev") or None, step_of(kwargs.get("epsfcn"))
    return Settings(ftol, xtol, gtol, limit, count_differences=True, step=step)


def of_least_squares(kwargs: Mapping[str, Any], method: str, n: int) -> tuple[Settings, str]:
    """Those of `least_squares`, and why the call must be SciPy's, if it must.

    Raises TypeError for a name it does not have, ValueError for an impossible value.
    """
    if not kwargs:
        return DEFAULT, ""
    _refuse_unknown(kwargs, TRF_NAMES, method)
    get = kwargs.get
    limit = get("max_nfev", get("maxfev"))
    loss, solver, verbose = get("loss", "linear"), get("tr_solver"), get("verbose", 0)
    check_choices(method, "2-point", solver, loss, verbose, limit)
    check_scale(get("x_scale"), n)
    close = tolerances(get("ftol", 1e-8), get("xtol", 1e-8), get("gtol", 1e-8), method)
    reason = handover.needed(method, solver, get("tr_options"))
    if get("jac_sparsity") is not None:
        reason = "jac_sparsity is given"
    chosen = Settings(
        *close, limit, step=get("diff_step"), x_scale=get("x_scale"), callback=get("callback"),
        verbose=verbose, loss=chosen_loss(loss, get("f_scale", 1.0)),
    )  # fmt: skip
    return chosen, reason


def _refuse_unknown(kwargs: Mapping[str, Any], known: frozenset[str], method: str) -> None:
    for name in kwargs:
        if name not in known:
            raise TypeError(
                f"curve_fit() with method {method!r} has no keyword argument {name!r}; "
                f"it has {', '.join(sorted(known))}"
            )
