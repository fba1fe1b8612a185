"""What is known of a problem before it is solved: counts, families, and what is not determined."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compiled import Compiled, Variables
from .structure import Determined, determined, eliminated, parts, separable

Counts = NDArray[np.intp]
SHOWN = 5
"""So many variables are named in a sentence."""


@dataclass(frozen=True, eq=False)
class Summary:
    """A problem in words: ``print(problem.summary())``; its parts are for programs."""

    compiled: Compiled

    @cached_property
    def determined(self) -> dict[str, Determined]:
        """How many residuals each variable is in, by name."""
        return {d.name: d for d in determined(self.compiled)}

    @cached_property
    def unused(self) -> dict[str, Counts]:
        """Free variables that are in no residual: their indices by name, where there are any."""
        return {name: d.unused for name, d in self.determined.items() if d.unused.size}

    @cached_property
    def weak(self) -> dict[str, Counts]:
        """Variables in fewer residuals than they have free components, where there are any."""
        return {name: d.weak for name, d in self.determined.items() if d.weak.size}

    @cached_property
    def parts(self) -> tuple[int, dict[str, Counts]]:
        """How many parts share no residual, and in which each variable is, by name (-1: in none)."""
        count, labels = parts(self.compiled)
        names = [v.name for v in self.compiled.variables]
        return count, dict(zip(names, labels, strict=True))

    @cached_property
    def eliminated(self) -> str | None:
        """Name of the variables that the Schur complement takes out."""
        k = eliminated(self.compiled)
        return None if k is None else self.compiled.variables[k].name

    @property
    def n_variables(self) -> int:
        """Numbers to be found: components of steps that are not fixed."""
        return sum(int((~v.frozen).sum()) for v in self.compiled.variables)

    @property
    def n_residuals(self) -> int:
        """Numbers to be squared."""
        return sum(f.n * f.rows for f in self.compiled.families)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should be looked at before solving, each by name and index."""
        found = [*self._unused(), *self._weak(), *self._apart(), *self._called_back()]
        if self.n_residuals < self.n_variables:
            found.append(f"{self.n_residuals:,} residuals cannot determine {self.n_variables:,} numbers")
        return tuple(found)

    def _unused(self) -> list[str]:
        return [
            f"{_named(name, at)} {'is' if at.size == 1 else 'are'} in no residual: leave out or fix"
            for name, at in self.unused.items()
        ]

    def _weak(self) -> list[str]:
        sentences = []
        for name, at in self.weak.items():
            d = self.determined[name]
            first = int(at[0])
            only = f", {self._seen_by(name, first)} only" if d.items[first] == 1 else ""
            rows = _count(int(d.rows[first]), "residual")
            sentences.append(f"{name}[{first}] has {rows} for {d.free[first]} free numbers{only}")
            if at.size > 1:
                sentences[-1] += f"; likewise {_named(name, at[1:])}"
        return sentences

    def _seen_by(self, name: str, index: int) -> str:
        """The one item that a variable is in."""
        position = self.compiled.position(name)
        for family in self.compiled.families:
            for p, picks in family.slots:
                found = np.flatnonzero(picks == index) if p == position else np.empty(0, np.intp)
                if found.size:
                    item = int(found[0])
                    others = [
                        f"{self.compiled.variables[q].name}[{picked[item]}]"
                        for q, picked in family.slots
                        if (q, int(picked[item])) != (position, index)
                    ]
                    by = f" with {', '.join(others)}" if others else ""
                    return f"from item {item} of {family.name!r}{by}"
        return ""

    def _apart(self) -> list[str]:
        count, labels = self.parts
        if count < 2:
            return []
        sizes = np.zeros(count, np.intp)
        for label in labels.values():
            sizes += np.bincount(label[label >= 0], minlength=count)
        small = int(np.argsort(sizes, kind="stable")[0])
        inside = [_named(name, np.flatnonzero(label == small)) for name, label in labels.items()]
        members = ", ".join(word for word in inside if word)
        return [
            f"{count} parts share no residual, each is solved by itself: the largest has {sizes.max():,} of "
            f"{sizes.sum():,} variables, the smallest is {members}"
        ]

    def _called_back(self) -> list[str]:
        return [
            f"{f.name!r} is slow, by {f.derivative}"
            for f in self.compiled.families
            if f.derivative.startswith("finite differences")
        ]

    @property
    def elimination(self) -> str:
        """Which variables are eliminated, and why."""
        able = [self.compiled.variables[k].name for k in separable(self.compiled)]
        if self.eliminated is None:
            why = "residuals join two of each family" if not able else "there would be nothing left"
            return f"nothing is eliminated: {why}"
        left = sum(int((~v.frozen).sum()) for v in self.compiled.variables if v.name != self.eliminated)
        return f"{self.eliminated!r} are eliminated: no residual joins two of them; {left:,} numbers are left"

    def __str__(self) -> str:
        from ...report.sentences import align

        c = self.compiled
        variables = [["variables", "n", "numbers", "fixed", "manifold"], *(_row(v) for v in c.variables)]
        residuals = [["residuals", "n", "numbers", "of", "loss, derivatives"]]
        for f in c.families:
            of = ", ".join(c.variables[p].name for p, _ in f.slots)
            how = f"{_loss(f.loss)}, {f.derivative}"
            residuals.append([f.name, f"{f.n:,}", f"{f.n * f.rows:,}", of, how])
        total = f"{self.n_variables:,} numbers to be found from {self.n_residuals:,} residuals"
        lines = [*align(variables), "", *align(residuals), "", total, self.elimination]
        return "\n".join([*lines, *(f"- {sentence}" for sentence in self.warnings)])

    def __repr__(self) -> str:
        return f"<Summary: {self.n_variables:,} numbers from {self.n_residuals:,} residuals>"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"


def _row(v: Variables) -> list[str]:
    fixed = int(v.frozen.sum())
    return [v.name, f"{v.n:,}", f"{v.frozen.size - fixed:,}", f"{fixed:,}" if fixed else "-", v.manifold.name]


def _loss(native: Any) -> str:
    if native is None:
        return "squares"
    name, scale = native[:2]
    return f"{name if isinstance(name, str) else 'own loss'} of scale {scale:g}"


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n:,} {what}s"


def _named(name: str, at: Counts) -> str:
    """Variables by index: ``point[3]``, ``point[3, 7, 8] and 12 more``."""
    if not at.size:
        return ""
    first = ", ".join(map(str, at[:SHOWN].tolist()))
    return f"{name}[{first}]" + (f" and {at.size - SHOWN:,} more" if at.size > SHOWN else "")
