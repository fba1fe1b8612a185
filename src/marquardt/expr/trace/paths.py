"""np.vectorize: every path through a scalar function, joined by choices per row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..graph import Node
from .context import Abort, Context
from .masks import choose
from .symbol import Symbol, lift

MAX_PATHS = 64


class _TooMany(Exception):
    pass


def explore(ctx: Context, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a scalar function on whole rows; a branch on a row runs both ways."""
    rows = [a for a in args if type(a) is Symbol]
    if ctx.decide is not None or not any(s.size > 1 for s in rows):
        return function(*args, **kwargs)
    if any(s.nodes.size > 1 for s in rows):
        return _one_by_one(ctx, function, args, kwargs)
    before = ctx.scalar_rows, ctx.decide
    finished: list[tuple[list[tuple[Node, bool]], Any]] = []
    pending: list[list[bool]] = [[]]
    try:
        while pending:
            script = pending.pop()
            taken: list[tuple[Node, bool]] = []
            known: dict[Node, bool] = {}

            def decide(
                node: Node,
                script: list[bool] = script,
                taken: list[Any] = taken,
                known: dict[Node, bool] = known,
            ) -> bool:
                if node in known:
                    return known[node]
                if len(taken) < len(script):
                    outcome = script[len(taken)]
                else:
                    outcome = True
                    pending.append([t for _, t in taken] + [False])
                known[node] = outcome
                taken.append((node, outcome))
                return outcome

            ctx.scalar_rows, ctx.decide = True, decide
            finished.append((taken, function(*args, **kwargs)))
            if len(finished) > MAX_PATHS:
                raise Abort("vectorize with this many branches")
    finally:
        ctx.scalar_rows, ctx.decide = before
    return _join(ctx, finished, args)


def _one_by_one(
    ctx: Context, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Element by element, for arrays that are not rows."""
    from .creation import array
    from .numpy_rows import broadcast_arrays
    from .shapes import ravel, reshape

    spread = broadcast_arrays(*[lift(ctx, a) for a in args])
    values = [function(*point, **kwargs) for point in zip(*[ravel(s) for s in spread], strict=True)]
    return reshape(array(ctx, values), spread[0].shape)


def _join(ctx: Context, finished: list[tuple[list[tuple[Node, bool]], Any]], args: tuple[Any, ...]) -> Any:
    """The results as nested choices; every value broadcast to the rows."""
    from .numpy_rows import broadcast_arrays
    from .shapes import broadcast_to

    shape = broadcast_arrays(*[lift(ctx, a) for a in args])[0].shape
    template = next(a for a in args if type(a) is Symbol and a.size > 1)
    first = finished[0][1]
    if isinstance(first, tuple):
        several = [
            _join(ctx, [(path, value[k]) for path, value in finished], args) for k in range(len(first))
        ]
        return tuple(several)

    def tree(items: list[tuple[list[tuple[Node, bool]], Any]], depth: int) -> Any:
        if len(items) == 1 and len(items[0][0]) <= depth:
            return items[0][1]
        node = items[0][0][depth][0]
        yes = tree([i for i in items if i[0][depth][1]], depth + 1)
        no = tree([i for i in items if not i[0][depth][1]], depth + 1)
        nodes = template.nodes.copy()
        nodes.fill(node)
        condition = Symbol(ctx, template.shape, template.segments, nodes, None, "b")
        return choose(condition, yes, no)

    result = lift(ctx, tree(finished, 0))
    return broadcast_to(result, shape)
