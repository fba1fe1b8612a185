"""What a prior or a ridge did to a fit: lines of the report, and advice."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .sentences import join

if TYPE_CHECKING:
    from ..curve.result import FitResult
    from ..stats import PenaltyPart, PenaltyReport

CONTRADICTION = 3.0
"""An estimate so many standard deviations from where its prior expects it contradicts the prior."""
NOTHING = 0.05
"""A parameter of which less than this part comes from the data is its prior."""


def penalty_lines(fit: FitResult) -> list[str]:
    """Share of the cost, effective parameters, each prior with its pull, each ridge, and the noise."""
    penalty = fit.penalty
    if penalty is None:
        return []
    priors = [_prior(part) for part in penalty.parts if math.isfinite(part.sd)]
    return [_summary(penalty), *priors, *_ridges(penalty), *_noise(penalty)]


def _summary(penalty: PenaltyReport) -> str:
    parameters = f"{penalty.effective:.2f} of {penalty.n_free} parameters come from the data"
    return f"penalty {_percent(penalty.share)} of the cost, {parameters}"


def _prior(part: PenaltyPart) -> str:
    return (
        f"prior {part.name} = {part.mean:g} ± {part.sd:g}: pull {part.pull:+.2f} sd, "
        f"{_percent(part.from_data)} from the data"
    )


def _ridges(penalty: PenaltyReport) -> list[str]:
    """One line for each value, with the parameters that have it."""
    lines = []
    for value in dict.fromkeys(part.ridge for part in penalty.parts if part.ridge):
        names = [f"{p.name} {_percent(p.from_data)}" for p in penalty.parts if p.ridge == value]
        lines.append(f"ridge {value:g}: {join(names)} from the data")
    return lines


def _noise(penalty: PenaltyReport) -> list[str]:
    if penalty.noise is None:
        return []
    rounds = f"{penalty.rounds} round{'' if penalty.rounds == 1 else 's'}"
    if not penalty.rounds:
        return [f"noise {penalty.noise:.6g}, found by the loss, weighs the prior{'s' * _several(penalty)}"]
    how = f"settled in {rounds}" if penalty.settled else f"not settled in {rounds}"
    return [f"noise {penalty.noise:.6g} weighs the prior{'s' * _several(penalty)}, {how}"]


def _several(penalty: PenaltyReport) -> bool:
    return len(_prior_names(penalty)) > 1


def _prior_names(penalty: PenaltyReport) -> list[str]:
    return [part.name for part in penalty.parts if math.isfinite(part.sd)]


def _percent(part: float) -> str:
    """A part of one, to two digits: as 0 % or 100 % only where it is.

    >>> _percent(0.0), _percent(0.99991), _percent(0.126)
    ('0 %', '99.991 %', '13 %')
    """
    if 0.995 <= part < 1.0:
        return f"{100 - float(f'{100 * (1 - part):.1g}'):.12g} %"
    return f"{100 * part:.2g} %" if part < 0.995 else "100 %"


def penalty_advice(fit: FitResult) -> Iterator[str]:
    """Contradictions of data and prior, parameters the data say nothing about, noise that cannot be told."""
    penalty = fit.penalty
    if penalty is None:
        return
    for part in penalty.parts:
        if abs(part.conflict) > CONTRADICTION:
            yield (
                f"Data and prior contradict one another about {part.name}: {part.value:.6g} is "
                f"{abs(part.conflict):.1f} standard deviations from where the prior expects it. "
                "Check the model and the prior."
            )
    unknown = [part.name for part in penalty.parts if part.from_data < NOTHING]
    if unknown:
        yield f"The data say next to nothing about {join(unknown)}: the estimate is the penalty's."
    if penalty.noise is not None and (not penalty.settled or fit.dof < 1.0):
        yield "The data cannot tell the noise that weighs the prior: give a known sigma."
