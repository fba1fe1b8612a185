"""Nonlinear least squares: exact derivatives of plain NumPy functions, a native core, honest results.

>>> import numpy as np
>>> import marquardt as mq
>>> t = np.linspace(0, 4, 9)
>>> fit = mq.fit(lambda t, a, b: a * np.exp(-b * t), t, 3 * np.exp(-0.5 * t), start={"a": 1, "b": 1})
>>> round(fit.params["b"].value, 6)
0.5
"""

import sys
from typing import TYPE_CHECKING, Any

from . import datasets, geometry, models
from .curve.blocks import Blocks, blocks
from .curve.compare import Comparison, compare
from .curve.fit import fit
from .curve.groups_by import FitTable
from .curve.groups_result import GroupFit
from .curve.result import FitResult
from .errors import (
    DataError,
    FileError,
    FormulaError,
    MarquardtError,
    MissingPackageError,
    ModelError,
    OptionError,
    ParameterError,
    Status,
)
from .options import Options
from .problem.large import manifolds
from .problem.large.manifolds import Manifold
from .problem.large.problem import Problem
from .problem.robust import Arctan, Barron, Cauchy, GemanMcClure, Huber, SoftL1, Tukey, Welsch
from .solve.large.gnc import GNC
from .solve.large.result import SolveResult
from .solve.large.solve import solve  # after it `marquardt.solve` is the function; imports find the package
from .solve.least_squares import least_squares
from .solve.least_squares_result import LeastSquaresResult
from .solve.result import Result
from .solve.sparse.result import SparseLeastSquaresResult

if TYPE_CHECKING:
    from .batch.groups import fit_groups
    from .batch.many import fit_many
    from .batch.result import ManyFits

__version__ = "0.1.0"

_LATE = {"fit_groups": "batch.groups", "fit_many": "batch.many", "ManyFits": "batch.result"}
"""Imported when they are asked for: most programs never do."""


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'marquardt' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LATE[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})


__all__ = [
    "GNC",
    "Arctan",
    "Barron",
    "Blocks",
    "Cauchy",
    "Comparison",
    "DataError",
    "FileError",
    "FitResult",
    "FitTable",
    "FormulaError",
    "GemanMcClure",
    "GroupFit",
    "Huber",
    "LeastSquaresResult",
    "Manifold",
    "ManyFits",
    "MarquardtError",
    "MissingPackageError",
    "ModelError",
    "OptionError",
    "Options",
    "ParameterError",
    "Problem",
    "Result",
    "SoftL1",
    "SolveResult",
    "SparseLeastSquaresResult",
    "Status",
    "Tukey",
    "Welsch",
    "blocks",
    "compare",
    "datasets",
    "fit",
    "fit_groups",
    "fit_many",
    "geometry",
    "least_squares",
    "manifolds",
    "models",
    "solve",
]

if hasattr(sys.modules.get("xarray"), "register_dataarray_accessor"):  # loaded before: da.marquardt is known
    from .batch import xarray as _accessors  # noqa: F401
