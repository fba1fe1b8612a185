"""Programs of the library's own functions, made beforehand: read from a file in place of traced.

In a new process it takes 2.7 ms to trace, differentiate and lower the error of a planar edge and 9.6 that of
a spatial one, 0.5 and 0.9 to read and try what came of it; all else that intel needs, 1,728 poses, takes 4.
The files hold what a trace gives: `python tools/programs.py` writes them, a test compares each with a new
trace.
Functions of users are always traced.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...expr.tape import TapeSpec, core_opcodes, lower
from .lowering import programs
from .manifolds import SE2, SE3, Euclidean, Manifold
from .program import Made, Program
from .residuals import Residuals
from .tangents import FOLDER, MOTIONS, ambient, example, is_shipped, tangents_path, text_of, traced_motion
from .tracing import trace_item

Repaid = tuple[bool, ...]


@dataclass(frozen=True)
class Own:
    """A function of values on these manifolds, then of data of these widths, and which slots have tables."""

    function: str
    manifolds: tuple[Manifold, ...]
    data: tuple[int, ...]
    repaid: tuple[Repaid, ...]


_NONE, _ALL = (False, False), (True, True)
OWN = {
    own.function: own
    for own in (
        Own("marquardt.datasets.posegraph:planar_error", (SE2, SE2), (3,), (_NONE, _ALL)),
        Own("marquardt.datasets.posegraph:spatial_error", (SE3, SE3), (7,), (_NONE, _ALL)),
        Own("marquardt.datasets.bal:reprojection", (Euclidean(9), Euclidean(3)), (2,), ((True, False), _ALL)),
    )
}


def shipped(declared: Residuals, repaid: Repaid) -> Made | None:
    """The programs of these residuals; None where the function is another, or of other arguments."""
    function = declared.function
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    own = OWN.get(f"{module}:{name}")
    if own is None or getattr(sys.modules.get(module), name, None) is not function:
        return None
    if repaid not in own.repaid or not _is_of(own, declared):
        return None
    return _read(path_of(own, repaid))


@lru_cache(maxsize=64)
def _read(path: Path) -> Made:
    return made_of(path.read_bytes().decode())


def shipped_motion(manifold: Manifold) -> TapeSpec | None:
    """The program of ``retract``; None where there is none."""
    if not is_shipped(manifold):
        return None
    return _tape((FOLDER / f"{manifold.name}.txt").read_bytes().decode())


def _is_of(own: Own, declared: Residuals) -> bool:
    """Are arguments and what they are those of the programs?"""
    order = [*(("slot", k) for k in range(len(own.manifolds))), *(("data", k) for k in range(len(own.data)))]
    manifolds = tuple(v.variables.manifold for v, _ in declared.slots)
    widths = tuple(d.shape[1:] for d in declared.data)
    return (list(declared.arguments), manifolds) == (order, own.manifolds) and widths == tuple(
        (n,) for n in own.data
    )


# -------------------------------------------------------------------------------------------------- files


def path_of(own: Own, repaid: Repaid) -> Path:
    """Where the programs of a function are; a number for each slot that has a table."""
    tables = "".join(f"{k + 1}" for k, wanted in enumerate(repaid) if wanted)
    return FOLDER / f"{own.function.partition(':')[2]}{tables and f'.tables{tables}'}.txt"


def files() -> Iterator[tuple[Path, str]]:
    """Every file and what belongs into it, by a new trace; first motions, with which programs are made."""
    for manifold in MOTIONS.values():
        motion = traced_motion(manifold)
        yield tangents_path(manifold), text_of(motion.slopes)
        n = ambient(manifold) + manifold.tangent
        yield FOLDER / f"{manifold.name}.txt", _text(lower(motion.graph, motion.value, 0, n_columns=n))
    for own in OWN.values():
        for repaid in own.repaid:
            yield path_of(own, repaid), _traced(own, repaid)


def _traced(own: Own, repaid: Repaid) -> str:
    module, _, name = own.function.partition(":")
    function = getattr(__import__(module, fromlist=[name]), name)
    arguments = [*(example(m) for m in own.manifolds), *(np.linspace(0.3, 0.7, n) for n in own.data)]
    found = programs(trace_item(function, arguments), own.manifolds)
    made = found.made(tuple(len(a) for a in arguments[: len(own.manifolds)]), repaid)
    tapes = [tape for p in (made.value, made.linear) for tape in (p.spec, *p.tables)]
    return "\n".join([f"data {_words(made.used)}\n", *("none\n" if t is None else _text(t) for t in tapes)])


def made_of(text: str) -> Made:
    """The programs that a file holds: residuals, then residuals and derivatives, each with its tables."""
    head, _, rest = text.partition("\n")
    tapes = [None if part == "none" else _tape(part) for part in rest.strip("\n").split("\n\n")]
    half = len(tapes) // 2
    value, linear = (_program(*part) for part in (tapes[:half], tapes[half:]))
    return Made(tuple(map(int, head.split()[1:])), value, linear)


def _program(items: TapeSpec | None, *tables: TapeSpec | None) -> Program:
    assert items is not None
    return Program(items, tables)


def _text(tape: TapeSpec) -> str:
    """A tape as lines: sizes, constants, outputs, then instructions ``operation destination a b c``."""
    names = {code: name for name, code in core_opcodes().items()}
    head = [f"inputs {tape.n_inputs} registers {tape.n_registers}"]
    head += [f"constants {_words(tape.constants.tolist())}", f"outputs {_words(tape.outputs.tolist())}"]
    return "\n".join([*head, *(f"{names[op]} {_words(slots)}" for op, *slots in tape.code.tolist()), ""])


def _words(numbers: Any) -> str:
    return " ".join(map(repr, numbers))


def _tape(text: str) -> TapeSpec:
    sizes, constants, outputs, *lines = text.split("\n", 3)
    _, n_inputs, _, n_registers = sizes.split()
    codes, words = core_opcodes(), " ".join(lines).split()
    words[::5] = [str(codes[name]) for name in words[::5]]
    code = np.fromstring(" ".join(words), dtype=np.uint32, sep=" ").reshape(-1, 5)
    return TapeSpec(
        n_params=0,
        constants=np.array(list(map(float, constants.split()[1:]))),
        prologue=np.empty((0, 5), np.uint32),
        n_inputs=int(n_inputs),
        code=code,
        n_registers=int(n_registers),
        outputs=np.array(list(map(int, outputs.split()[1:])), dtype=np.uint32),
        guards=[],
    )
