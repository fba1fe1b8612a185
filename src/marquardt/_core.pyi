"""The native core as Python sees it; `core/bind` holds the code."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Observer = tuple[Callable[[Report], Any], float]
Families = tuple[list[Any], NDArray[np.intp] | None]

__version__: str

def opcodes() -> list[tuple[str, int, int]]: ...
def cpu_level() -> str: ...
def all_finite(values: Vector) -> bool: ...
def loss_values(loss: tuple[str, float, float | None], z: float) -> list[float]: ...
def first_difference(plain: Vector, traced: Vector) -> int | None: ...

class Tape:
    n_instructions: int
    n_registers: int
    def __init__(
        self,
        n_params: int,
        constants: Vector,
        prologue: NDArray[np.uint32],
        n_inputs: int,
        code: NDArray[np.uint32],
        n_registers: int,
        outputs: Sequence[int] | NDArray[np.uint32],
        guards: Sequence[tuple[int, bool]],
    ) -> None: ...
    def guards_hold(self, params: Vector) -> bool: ...
    def run(self, params: Vector, columns: Sequence[Vector], n: int) -> Matrix: ...
    def time(self, level: str, params: Vector, columns: Sequence[Vector], n: int, repeat: int) -> float: ...

class Grid:
    def __init__(
        self,
        sizes: tuple[int, int],
        coefficients: Tape,
        factors: tuple[Tape, Tape],
        columns: tuple[Sequence[Vector], Sequence[Vector]],
        products: Sequence[Sequence[int]],
        terms: Sequence[Sequence[int]],
        n_outputs: int,
    ) -> None: ...

class Programs:
    def __init__(
        self,
        value: Tape,
        jacobian: Tape,
        curvature: Tape | None = None,
        hessian: tuple[Tape, list[tuple[int, int]]] | None = None,
    ) -> None: ...

Version = tuple[Programs, Sequence[int]]
Chunk = tuple[list[Any], Any, tuple[Any, str] | None, int]
SumRequest = tuple[str, Sequence[float] | None, Sequence[int], bool]
SumNumbers = tuple[Vector, Vector, Vector, Vector, Vector]

class Options:
    def __init__(
        self,
        *,
        method: str,
        damping: str,
        tolerance: float,
        max_evaluations: int | None,
        polish: bool,
        acceleration: bool | None,
        newton: bool,
        scaling: str | None,
        radius_factor: float | None,
        threads: int | None,
        retry: bool,
        trace: bool,
    ) -> None: ...

class Report:
    nfev: int
    njev: int
    cost: float
    x: Vector

class Outcome:
    status: int
    x: Vector
    f: Vector
    cost: float
    factor: Matrix
    inverse_gram: Matrix | None
    gradient: Vector
    rounding: Vector
    null_vectors: Matrix
    active: NDArray[np.int8]
    offset: float
    tolerance: float
    scaled_gradient: float
    rank: int
    condition: float
    nfev: int
    njev: int
    n_accepted: int
    reason: int
    hessian: Matrix | None
    descent: Vector
    runaway: list[int]
    jumps: bool
    escapes: int
    newton_step: float | None
    trace: list[tuple[str, list[float]]]
    trials: Matrix
    models: Matrix
    trace_dropped: int
    def every(self, step: int) -> Vector: ...

def minimize_curve(
    families: Families,
    values: Vector,
    free: Sequence[int],
    retrace: Callable[[Vector], Families | None],
    x0: Vector,
    lower: Vector,
    upper: Vector,
    options: Options,
    observer: Observer | None = None,
    penalty: list[tuple[int, float, float]] | None = None,
    loss: tuple[str, float, float | None] | None = None,
    linear: Sequence[int] = ...,
) -> Outcome: ...
def minimize_stream(
    source: Any,
    n_rows: int,
    version: Version,
    values: Vector,
    free: Sequence[int],
    retrace: Callable[[Vector], Version | None],
    x0: Vector,
    lower: Vector,
    upper: Vector,
    options: Options,
    observer: Observer | None = None,
    penalty: list[tuple[int, float, float]] | None = None,
    loss: tuple[Any, ...] | None = None,
    linear: Sequence[int] = ...,
) -> Outcome: ...
def minimize_sums(
    total: Callable[[Vector, SumRequest], SumNumbers | None],
    n_rows: int,
    curved: tuple[bool, bool],
    x0: Vector,
    lower: Vector,
    upper: Vector,
    options: Options,
    observer: Observer | None = None,
    penalty: list[tuple[int, float, float]] | None = None,
    loss: tuple[Any, ...] | None = None,
    linear: Sequence[int] = ...,
) -> Outcome: ...
def sum_block(
    chunk: Chunk,
    versions: Sequence[Version],
    values: Vector,
    free: Sequence[int],
    x: Vector,
    request: SumRequest,
    loss: tuple[Any, ...] | None = None,
    threads: int = 1,
) -> SumNumbers: ...
def add_sums(a: SumNumbers, b: SumNumbers) -> SumNumbers: ...
def finite_series(column: Any) -> bool: ...
def minimize_curve_many(
    families: Families,
    values: Vector,
    free: Sequence[int],
    retrace: Callable[[Vector], Families | None],
    starts: Matrix,
    lower: Vector,
    upper: Vector,
    options: Options,
    threads: int,
    penalty: list[tuple[int, float, float]] | None = None,
    loss: tuple[str, float, float | None] | None = None,
    linear: Sequence[int] = ...,
) -> list[Outcome]: ...
def fit_lanes(
    jacobian: Tape,
    batch: Any,
    loss: tuple[Any, ...] | None,
    threads: int,
    ends: Any,
    in_doubt: int,
    single: bool,
    grid: Grid | None = None,
) -> bool: ...
def fit_each(
    programs: Programs,
    batch: Any,
    which: Any,
    loss: tuple[Any, ...] | None,
    plan: tuple[Any, ...] | None,
    linear: Sequence[int],
    options: Options,
    threads: int,
) -> dict[str, Any]: ...
def minimize_callback(
    residuals: Callable[[Vector], Vector],
    jacobian: Callable[[Vector, Vector], Matrix],
    curvature: Callable[[Vector, Vector], Vector] | None,
    hessian: Callable[[Vector, Vector], Matrix] | None,
    m: int,
    observed: Vector | None,
    x0: Vector,
    lower: Vector,
    upper: Vector,
    options: Options,
    observer: Observer | None = None,
    penalty: list[tuple[int, float, float]] | None = None,
    loss: tuple[str, float, float | None] | None = None,
    linear: Sequence[int] = ...,
    approximate: bool = False,
) -> Outcome: ...

class Normal:
    """J'J of a sparse Jacobian with n columns, in compressed rows, and its damped factor."""

    def __init__(
        self, n: int, starts: NDArray[np.int64], columns: NDArray[np.int64], threads: int
    ) -> None: ...
    def linearize(self, jacobian: Vector, residuals: Vector) -> None: ...
    def gradient(self) -> Vector: ...
    def diagonal(self) -> Vector: ...
    def curvature(self, p: Vector) -> float: ...
    def factorize(self, lam: float, frozen: NDArray[np.bool_] | None) -> bool: ...
    def solve(self, rhs: Vector) -> Vector: ...
    def step(self) -> tuple[Vector, float]: ...
    def inverse_diagonal(self) -> Vector: ...
    def info(self) -> dict[str, Any]: ...

class Structure:
    """The structure of a large problem, analyzed by a thread of its own."""

    def __init__(
        self,
        sizes: list[tuple[int, int, int]],
        families: list[list[tuple[int, Any]]],
        eliminated: int | None,
        solver: str,
        threads: int,
    ) -> None: ...

class System:
    """The linear model of a large problem; arrays are flat, one for each family of variables."""

    def __init__(self, structure: Structure, families: list[tuple[Any, ...]]) -> None: ...
    def cost(self, values: list[Vector]) -> float: ...
    def squared_norms(self, values: list[Vector], family: int) -> Vector: ...
    def set_weights(self, family: int, weights: Vector | None) -> None: ...
    def set_floor(self, floor: float) -> None: ...
    def give(self, family: int, residuals: Vector, jacobian: Vector) -> None: ...
    def linearize(self, values: list[Vector]) -> float: ...
    def gradient(self) -> list[Vector]: ...
    def diagonal(self) -> list[Vector]: ...
    def factorize(self, damping: float, frozen: list[Any] | None = None, exactly: bool = False) -> bool: ...
    def step(self) -> tuple[list[Vector], float, int]: ...
    def solve(self, b: list[Vector]) -> list[Vector]: ...
    def curvature(self, d: list[Vector]) -> float: ...
    def inverse_diagonal(self, family: int) -> Vector | None: ...
    @property
    def seconds(self) -> tuple[float, float, float]: ...
    def info(self) -> dict[str, Any]: ...
