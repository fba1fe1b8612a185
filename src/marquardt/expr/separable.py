"""Which parameters enter a model linearly, read off its graph: they can be projected out of the fit.

Golub and Pereyra (1973). Each node knows the parameters it depends on; a product makes those of one factor
interact with those of the other, a nonlinear operation makes all inside it interact, each with itself too. A
set of parameters without an interaction among themselves enters linearly for any values of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from marquardt.expr.graph import Node, reachable

_EXACT_LIMIT = 30


def linear_parameters(
    outputs: Sequence[Node], avoid: Collection[int] = (), among: Collection[int] | None = None
) -> tuple[int, ...]:
    """Indices of a largest set of parameters in which all `outputs` are jointly linear (affine).

    Among equally large sets the one with the fewest parameters in `avoid` (those with bounds, say) is taken,
    then the one with the earliest parameters. Parameters that the outputs do not depend on are left out, and
    those that are not in `among`, if it is given.
    """
    partners = interactions(outputs)
    allowed = partners if among is None else among
    linear_alone = [i for i, mask in partners.items() if not mask >> i & 1 and i in allowed]
    candidates = sorted(linear_alone, key=lambda i: (i in avoid, i))
    if len(candidates) > _EXACT_LIMIT:
        return tuple(sorted(_greedy(candidates, partners)))
    # A parameter is worth a little more when it need not be avoided: size first, then that.
    worth = {i: 2 * len(candidates) - (i in avoid) for i in candidates}
    return tuple(sorted(_best(candidates, partners, worth)))


def interactions(outputs: Iterable[Node]) -> dict[int, int]:
    """For each parameter, a bit mask of those whose mixed second derivative with it may be non-zero."""
    depends: dict[Node, int] = {}
    partners: dict[int, int] = {}
    for node in reachable(outputs):
        if node.op == "param":
            depends[node] = 1 << int(node.value)
            partners[int(node.value)] = 0
            continue
        masks = [depends.get(a, 0) for a in node.args]
        union = 0
        for m in masks:
            union |= m
        depends[node] = union
        if union:
            for left, right in _crossings(node.op, masks, union):
                _connect(partners, left, right)
    return partners


def _crossings(op: str, masks: Sequence[int], union: int) -> list[tuple[int, int]]:
    """Pairs of parameter sets that interact in one operation."""
    if op in ("add", "sub", "neg"):
        return []
    if op == "mul":
        return [(masks[0], masks[1])]
    if op == "div":
        return [(masks[1], union)]
    if op == "select":
        return [(masks[0], union)]
    return [(union, union)]


def _connect(partners: dict[int, int], left: int, right: int) -> None:
    if left and right:
        for i in partners:
            if left >> i & 1:
                partners[i] |= right
            if right >> i & 1:
                partners[i] |= left


def _best(candidates: Sequence[int], partners: dict[int, int], worth: dict[int, int]) -> list[int]:
    """The independent set of greatest worth, by branch and bound; the first found wins ties."""
    best: list[int] = []
    record = 0

    def extend(chosen: list[int], value: int, remaining: Sequence[int]) -> None:
        nonlocal best, record
        if value > record:
            best, record = list(chosen), value
        for k, i in enumerate(remaining):
            if value + sum(worth[j] for j in remaining[k:]) <= record:
                return
            extend(
                [*chosen, i], value + worth[i], [j for j in remaining[k + 1 :] if not partners[i] >> j & 1]
            )

    extend([], 0, candidates)
    return best


def _greedy(candidates: Sequence[int], partners: dict[int, int]) -> list[int]:
    """A large independent set: those with the fewest partners first."""
    everyone = sum(1 << i for i in candidates)
    chosen = 0
    for i in sorted(candidates, key=lambda i: (partners[i] & everyone).bit_count()):
        if not partners[i] & chosen:
            chosen |= 1 << i
    return [i for i in candidates if chosen >> i & 1]
